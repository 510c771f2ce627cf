"""The names of many files or seeds in a message: `listed`."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 3


def listed(names: Sequence[object]) -> str:
    """Return the first names, and how many there are besides: `a, b, c and 4 more`."""
    more = len(names) - NAMED
    return f'{", ".join(map(str, names[:NAMED]))}{f" and {more} more" if more > 0 else ""}'
