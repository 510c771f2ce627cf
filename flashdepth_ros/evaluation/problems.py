"""Problems of many files or sets in few lines: one for each kind, with the first names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

NAMED = 3
"""Number of names in a line before only the others are counted."""
KINDS = 10
"""Number of kinds that have a line of their own."""


class Problem(NamedTuple):
    """What is wrong with something that has a name: an image, a file, a set."""

    name: str
    text: str
    kind: str = ''
    """Equal for problems that differ in names only; '': the text."""

    @property
    def line(self) -> str:
        """Return name and text."""
        return f'{self.name}: {self.text}' if self.name else self.text


def lines_of(problems: Iterable[Problem]) -> list[str]:
    """Return a line for each kind: its first problem, and the names of those like it."""
    kinds: dict[str, list[Problem]] = defaultdict(list)
    for each in problems:
        kinds[each.kind or each.text].append(each)
    own = list(kinds.values())
    lines = [_line(*alike) for alike in own[:KINDS]]
    others = [each.name for alike in own[KINDS:] for each in alike]
    return lines + ([f'other problems: {listed(others)}'] if others else [])


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many there are besides: `a, b, c and 4 more`."""
    more = len(names) - NAMED
    return f'{", ".join(names[:NAMED])}{f" and {more} more" if more > 0 else ""}'


def _line(first: Problem, *others: Problem) -> str:
    same = f' (the same: {listed([each.name for each in others])})' if others else ''
    return f'{first.line}{same}'
