"""Reading recordings up to the position of any damage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from flashdepth_ros.bags import BagReader
from flashdepth_ros.errors import BagError

Item = TypeVar('Item')


def until_damage(items: Iterator[Item]) -> Iterator[Item]:
    """
    Yield the items before the first damage, and end there without an error.

    Not for images: reading the images finds the same damage and reports it.
    """
    try:
        yield from items
    except BagError:
        return


def header_stamps(bag: BagReader, topic: str) -> tuple[int, ...]:
    """Return the header stamps of a topic in the order of recording, up to any damage."""
    stamps = (bag.header_stamp_ns(record) for record in until_damage(bag.records(topic)))
    return tuple(stamp for stamp in until_damage(stamps) if stamp is not None)
