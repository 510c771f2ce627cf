"""Names of recordings and sets that tell them apart."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def without_repeats(paths: Iterable[Path]) -> list[Path]:
    """Return the paths without those to the same place as one before."""
    first: dict[Path, Path] = {}
    for path in paths:
        first.setdefault(path.resolve(), path)
    return list(first.values())


def distinct_names(paths: Iterable[Path]) -> dict[Path, str]:
    """
    Return the name of each path: its last part, and as many before it as tell it from the others.

    :param paths: of different places.
    """
    parts = {path: _parts(path) for path in paths}
    return {path: _shortest(own, list(parts.values())) for path, own in parts.items()}


def _parts(path: Path) -> tuple[str, ...]:
    return (path.resolve() if '..' in path.parts else path.absolute()).parts


def _shortest(own: tuple[str, ...], every: list[tuple[str, ...]]) -> str:
    for count in range(1, len(own)):
        if sum(each[-count:] == own[-count:] for each in every) == 1:
            return '/'.join(own[-count:])
    return str(Path(*own))
