"""Zstandard, by which rosbag2 compresses whole files or single messages."""

from __future__ import annotations

from pathlib import Path

import zstandard

SUFFIX = '.zstd'
_MAGIC = b'\x28\xb5\x2f\xfd'
_BLOCK_BYTES = 2**20


def is_compressed(data: bytes) -> bool:
    """Return whether data are a Zstandard frame; a serialized message never begins as one."""
    return data.startswith(_MAGIC)


def decompress(data: bytes) -> bytes:
    """
    Return the content of a compressed message.

    :raises ValueError: it is damaged.
    """
    try:
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


def decompress_file(source: Path, target: Path) -> str:
    """Write the content of a compressed file, as far as it goes; return what is damaged, or ''."""
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    with source.open('rb') as compressed, target.open('wb') as plain:
        while block := compressed.read(_BLOCK_BYTES):
            try:
                plain.write(decompressor.decompress(block))
            except zstandard.ZstdError as error:
                return f'its compression is damaged ({error})'
    return ''
