"""The records of an MCAP file and of its chunks, as far as they can be read."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
import struct
from typing import BinaryIO, NamedTuple
import zlib

import lz4.frame
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Chunk
import zstandard

MAGIC = b'\x89MCAP0\r\n'
HEAD_BYTES = 9
PARSE_ERRORS = (McapError, ValueError, LookupError, struct.error, OverflowError, MemoryError)
"""What the mcap library raises for bytes that are not the record they should be."""

_HEAD = struct.Struct('<BQ')
_CHUNK_HEAD = struct.Struct('<QQ')
_MESSAGE_HEAD = struct.Struct('<HIQQ')
_INDEX_HEAD = struct.Struct('<HI')
_INDEX_ENTRY_BYTES = 16


class RawRecord(NamedTuple):
    """Where the content of a record is in a file; a file may end before the record does."""

    opcode: int
    start: int
    length: int
    """Bytes of the content as the record states them."""
    size: int
    """Bytes of the content that are there."""

    @property
    def is_whole(self) -> bool:
        """Return whether the file holds the whole record."""
        return self.size == self.length


class ChunkError(Exception):
    """A chunk that cannot be decompressed, or whose checksum differs."""


def raw_records(file: BinaryIO, start: int, end: int) -> Iterator[RawRecord]:
    """Yield the records between two offsets, without their content; the last may be cut off."""
    while start + HEAD_BYTES <= end:
        file.seek(start)
        opcode, length = _HEAD.unpack(file.read(HEAD_BYTES))
        if opcode == 0:
            return
        start += HEAD_BYTES
        yield RawRecord(opcode, start, length, min(length, end - start))
        start += length


def content(file: BinaryIO, record: RawRecord) -> ReadDataStream:
    """Return a stream over the content of a record."""
    return ReadDataStream(BytesIO(_read(file, record)))


def message_head(file: BinaryIO, record: RawRecord) -> tuple[int, int]:
    """Return the channel number and the time of recording, ns, of a message."""
    file.seek(record.start)
    channel_id, _, stamp_ns, _ = _MESSAGE_HEAD.unpack(file.read(_MESSAGE_HEAD.size))
    return channel_id, stamp_ns


def message(file: BinaryIO, record: RawRecord) -> tuple[int, int, bytes]:
    """Return the channel number, the time of recording, ns, and the data of a message."""
    return _message(_read(file, record))


def start_time_ns(file: BinaryIO, record: RawRecord) -> tuple[int, int]:
    """Return the times of a chunk's first and last message, ns."""
    file.seek(record.start)
    first_ns, last_ns = _CHUNK_HEAD.unpack(file.read(_CHUNK_HEAD.size))
    return first_ns, last_ns


def index_entries(file: BinaryIO, record: RawRecord) -> tuple[int, int]:
    """Return the channel number of a message index, and how many messages it lists."""
    file.seek(record.start)
    channel_id, size = _INDEX_HEAD.unpack(file.read(_INDEX_HEAD.size))
    return channel_id, size // _INDEX_ENTRY_BYTES


def chunk_messages(file: BinaryIO, record: RawRecord) -> Iterator[tuple[int, int, bytes]]:
    """
    Yield the channel number, the time of recording, ns, and the data of a chunk's messages.

    :raises ChunkError: as for `chunk_records`.
    """
    for opcode, stream, length in chunk_records(file, record):
        if opcode == Opcode.MESSAGE and length >= _MESSAGE_HEAD.size:
            yield _message(stream.read(length))


def chunk_records(file: BinaryIO, record: RawRecord) -> Iterator[tuple[int, ReadDataStream, int]]:
    """
    Yield the opcode, the content and its length of each record in a chunk.

    Of a chunk in whose middle the file ends, yield the records before the end.

    :raises ChunkError: the content cannot be decompressed, or is not what was written.
    """
    data = _chunk_data(file, record)
    position = 0
    while position + HEAD_BYTES <= len(data):
        opcode, length = _HEAD.unpack_from(data, position)
        position += HEAD_BYTES
        if position + length > len(data):
            if record.is_whole:
                raise ChunkError('a record is longer than its chunk')
            return
        yield opcode, ReadDataStream(BytesIO(data[position : position + length])), length
        position += length


def _read(file: BinaryIO, record: RawRecord) -> bytes:
    file.seek(record.start)
    return file.read(record.size)


def _message(content: bytes) -> tuple[int, int, bytes]:
    channel_id, _, stamp_ns, _ = _MESSAGE_HEAD.unpack_from(content)
    return channel_id, stamp_ns, content[_MESSAGE_HEAD.size :]


def _chunk_data(file: BinaryIO, record: RawRecord) -> bytes:
    try:
        chunk = Chunk.read(content(file, record))
        data = _decompress(chunk.compression, chunk.data)
    except (*PARSE_ERRORS, zstandard.ZstdError, RuntimeError) as error:
        raise ChunkError(str(error) or type(error).__name__) from error
    if record.is_whole and chunk.uncompressed_crc not in (0, zlib.crc32(data)):
        raise ChunkError('its checksum differs')
    return data


def _decompress(compression: str, data: bytes) -> bytes:
    """Decompress as much as there is."""
    if compression == 'zstd':
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if compression == 'lz4':
        return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data))
    if compression:
        raise ValueError(f'compression {compression!r} is not supported; one of zstd, lz4, none')
    return data
