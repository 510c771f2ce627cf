"""Continue after errors: read recordings up to any damage, and report the reason of a failure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from traceback import extract_tb
from typing import TypeVar

from flashdepth_ros.errors import BagError, FlashDepthError

Item = TypeVar('Item')

_REASON_MAX = 300


def until_damage(items: Iterator[Item]) -> Iterator[Item]:
    """
    Yield the items before the first damage, and end there without an error.

    Not for images: reading the images finds the same damage and reports it.
    """
    try:
        yield from items
    except BagError:
        return


def reason(error: Exception) -> str:
    """Return what went wrong, in one line; of an unexpected error also where."""
    text = ' '.join(str(error).split())
    if isinstance(error, FlashDepthError):
        return text
    if isinstance(error, OSError) and error.strerror:
        return f'{error.strerror}{f": {error.filename}" if error.filename else ""}'
    if isinstance(error, MemoryError):
        return f'out of memory{f": {text}" if text else ""}'
    place = extract_tb(error.__traceback__)[-1:]
    raised = ''.join(f' ({Path(each.filename).name}:{each.lineno})' for each in place)
    return f'{type(error).__name__}{": " if text else ""}{text[:_REASON_MAX]}{raised}'
