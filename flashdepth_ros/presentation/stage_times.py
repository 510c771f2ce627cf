"""Durations of the processing stages of a frame, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import csv
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class StageTime:
    """One stage over all frames: percentiles and maximum, in ms."""

    stage: str
    p50_ms: float
    p95_ms: float
    max_ms: float


def stage_times(samples: Mapping[str, npt.ArrayLike]) -> list[StageTime]:
    """Return the stages in the given order, except those without a finite sample, in ms."""
    rows = []
    for stage, values in samples.items():
        finite = np.asarray(values, np.float64)
        finite = finite[np.isfinite(finite)]
        if finite.size:
            p50, p95 = np.percentile(finite, (50, 95))
            rows.append(StageTime(stage, float(p50), float(p95), float(finite.max())))
    return rows


def write_csv(path: Path, rows: Sequence[StageTime]) -> None:
    """Write a header line, then one line per stage."""
    with path.open('w', encoding='utf-8', newline='') as file:
        table = csv.writer(file)
        table.writerow(field.name for field in fields(StageTime))
        table.writerows((row.stage, *(f'{ms:.3f}' for ms in astuple(row)[1:])) for row in rows)


def format_stages(rows: Sequence[StageTime]) -> str:
    """Return aligned lines of text, starting with the column names."""
    lines = [f'{"ms":<20}{"p50":>9}{"p95":>9}{"max":>9}']
    lines += [
        f'{row.stage:<20}{row.p50_ms:>9.1f}{row.p95_ms:>9.1f}{row.max_ms:>9.1f}' for row in rows
    ]
    return '\n'.join(lines)
