"""Seeded mutations of bytes: what disks, networks and interrupted writers do to them."""

from collections.abc import Callable
from random import Random

Mutation = Callable[[bytearray, Random], None]
_EDGE_VALUES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, 1 << 63)


def mutate(data: bytes, random: Random, count: int = 0) -> bytes:
    """Return data after one to four random mutations, or after `count`."""
    mutated = bytearray(data)
    for _ in range(count or random.randint(1, 4)):
        random.choice(MUTATIONS)(mutated, random)
    return bytes(mutated)


def flip_bit(data: bytearray, random: Random) -> None:
    """Flip one bit."""
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def truncate(data: bytearray, random: Random) -> None:
    """Cut off the end."""
    del data[random.randint(0, len(data)) :]


def zero_range(data: bytearray, random: Random) -> None:
    """Overwrite a range with zeros, as a sector that was never written."""
    start, length = _range(data, random)
    data[start : start + length] = bytes(len(data[start : start + length]))


def delete_range(data: bytearray, random: Random) -> None:
    """Leave out a range."""
    start, length = _range(data, random)
    del data[start : start + length]


def repeat_range(data: bytearray, random: Random) -> None:
    """Insert a copy of a range at another place."""
    start, length = _range(data, random)
    place = random.randint(0, len(data))
    data[place:place] = data[start : start + length]


def randomise_range(data: bytearray, random: Random) -> None:
    """Overwrite a range with random bytes."""
    start, length = _range(data, random)
    data[start : start + length] = random.randbytes(len(data[start : start + length]))


def edge_number(data: bytearray, random: Random) -> None:
    """Overwrite a number, such as a length, with the smallest, largest or an odd one."""
    size = random.choice((1, 2, 4, 8))
    start = random.randint(0, max(0, len(data) - size))
    value = random.choice(_EDGE_VALUES) & ((1 << 8 * size) - 1)
    data[start : start + size] = value.to_bytes(size, random.choice(('little', 'big')))


def _range(data: bytearray, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, random.choice((1, 4, 16, 256, 4096))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit,
    truncate,
    zero_range,
    delete_range,
    repeat_range,
    randomise_range,
    edge_number,
)
