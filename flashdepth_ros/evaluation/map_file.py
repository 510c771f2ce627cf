"""Maps of one shape in a file: the memory use does not depend on the length of the recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class MapFile:
    """
    Numbered maps (H, W, ...) in one file, written in any order and read one at a time.

    It is a plain file, not a memory map: the pages of a memory map count as memory of the process.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
        self.shape = shape
        self._dtype = np.dtype(dtype)
        self._size = int(np.prod(shape)) * self._dtype.itemsize
        # Without a buffer, a full disk is reported where it matters, and not when closing.
        self._file = path.open('w+b', buffering=0)
        self._written: set[int] = set()

    def __contains__(self, index: int) -> bool:
        """Return whether the map with this number has been written."""
        return index in self._written

    def __len__(self) -> int:
        """Return the number of maps written."""
        return len(self._written)

    def __setitem__(self, index: int, values: npt.NDArray[Any]) -> None:
        assert values.shape == self.shape
        self._file.seek(index * self._size)
        data = np.ascontiguousarray(values, self._dtype).data.cast('B')
        while data:
            data = data[self._file.write(data) :]
        self._written.add(index)

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        assert index in self
        self._file.seek(index * self._size)
        data = self._file.read(self._size)
        return np.frombuffer(data, self._dtype).reshape(self.shape)

    def __enter__(self) -> MapFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
