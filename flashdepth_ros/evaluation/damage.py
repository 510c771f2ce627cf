"""What can be had of a recording that is damaged somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from flashdepth_ros.bags import BagReader
from flashdepth_ros.errors import BagError

Item = TypeVar('Item')


def undamaged(items: Iterator[Item]) -> Iterator[Item]:
    """
    Yield what lies before the damage and end there in silence.

    For all but the pictures, among which the damage is met once more, and told.
    """
    try:
        yield from items
    except BagError:
        return


def header_stamps(bag: BagReader, topic: str) -> tuple[int, ...]:
    """Return the stamps of a topic's headers, in the order of recording, up to any damage."""
    stamps = (bag.header_stamp_ns(record) for record in undamaged(bag.records(topic)))
    return tuple(stamp for stamp in undamaged(stamps) if stamp is not None)
