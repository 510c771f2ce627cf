"""Stamps of message headers in nanoseconds."""

from __future__ import annotations

from flashdepth_ros.errors import InputError

SECOND_NS = 1_000_000_000


def to_nanoseconds(seconds: int, nanoseconds: int) -> int:
    """
    Return a stamp, ns; it may be negative.

    :raises InputError: the nanoseconds are a second or more.
    """
    if nanoseconds >= SECOND_NS:
        raise InputError(
            f'header.stamp has nanosec {nanoseconds}, expected less than {SECOND_NS}: correct the '
            'publisher of this topic'
        )
    return seconds * SECOND_NS + nanoseconds
