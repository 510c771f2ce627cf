"""The report of an evaluation: a page for people, and its figures for machines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.evaluation.evaluation import Evaluation
from flashdepth_ros.evaluation.report.page import page
from flashdepth_ros.evaluation.report.tables import frames_csv, report_json

__all__ = ['write_report']

_FILES: dict[str, Callable[[Evaluation], str]] = {
    'report.json': report_json,
    'frames.csv': frames_csv,
    'report.html': page,
}


def write_report(evaluation: Evaluation, folder: Path) -> None:
    """
    Write report.html, which needs no other file and no network, report.json and frames.csv.

    Each appears under its name only when it is whole, the page last.

    :raises ConfigError: the folder cannot be written to.
    """
    try:
        for name, make in _FILES.items():
            unfinished = folder / f'.{name}.unfinished'
            unfinished.write_text(make(evaluation), encoding='utf-8')
            unfinished.replace(folder / name)
    except OSError as error:
        raise ConfigError(f'{folder}: cannot be written: {error.strerror}') from error
