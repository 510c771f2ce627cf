"""The report of an evaluation: an HTML page, and its figures as JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.evaluation.damage import reason
from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.report.page import render_page
from flashdepth_ros.evaluation.report.tables import frames_csv, report_json

__all__ = ['write_report']

_FILES: dict[str, Callable[[Evaluation], str]] = {
    'report.json': report_json,
    'frames.csv': frames_csv,
    'report.html': render_page,
}


def write_report(evaluation: Evaluation, folder: Path) -> None:
    """
    Write report.html, which needs no other file and no network, report.json and frames.csv.

    Each file gets its name when it is complete, the page last.

    :raises ConfigError: a file could not be written; the others are.
    """
    failures = []
    for name, make in _FILES.items():
        unfinished = folder / f'.{name}.unfinished'
        try:
            # Names of files that are not valid text must not prevent the report.
            unfinished.write_text(make(evaluation), encoding='utf-8', errors='backslashreplace')
            unfinished.replace(folder / name)
        except Exception as error:  # noqa: BLE001 - the other files are still written
            failures.append(f'{name}: {reason(error)}')
            # An older file would not belong to the others.
            for old in (unfinished, folder / name):
                with suppress(OSError):
                    old.unlink(missing_ok=True)
    if failures:
        raise ConfigError(f'{folder}: cannot write the report: {"; ".join(failures)}')
