"""Problems of many files or sets in few lines: one for each kind, with the first names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from flashdepth_ros.errors import listed

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


def _line(first: Problem, *others: Problem) -> str:
    same = f' (the same: {listed([each.name for each in others])})' if others else ''
    return f'{first.line}{same}'
