"""Locate files shipped with the package: in the checkout, or in `share/` of an installation."""

from collections.abc import Iterator
from pathlib import Path


def shipped_folders(name: str) -> Iterator[Path]:
    """Yield the possible locations of the project folder `name`, the most likely first."""
    package = Path(__file__).resolve().parent
    yield package.parent / name
    for parent in package.parents:
        yield parent / 'share' / 'flashdepth_ros' / name


def shipped_file(folder: str, name: str) -> Path | None:
    """Return the path of a shipped file, or None if this installation does not have it."""
    paths = (location / name for location in shipped_folders(folder))
    return next((path for path in paths if path.is_file()), None)
