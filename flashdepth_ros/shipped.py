"""Where the files lie that ship beside the code: in a checkout, or under a prefix's `share/`."""

from collections.abc import Iterator
from pathlib import Path


def shipped_folders(name: str) -> Iterator[Path]:
    """Yield where the folder `name` of the project may lie, the likeliest place first."""
    package = Path(__file__).resolve().parent
    yield package.parent / name
    for parent in package.parents:
        yield parent / 'share' / 'flashdepth_ros' / name


def shipped_file(folder: str, name: str) -> Path | None:
    """Return a shipped file, None where this installation lacks it."""
    places = (place / name for place in shipped_folders(folder))
    return next((path for path in places if path.is_file()), None)
