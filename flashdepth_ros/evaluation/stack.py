"""Maps of one shape on disk: as many as a long recording has, at the memory of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class Stack:
    """
    Numbered maps (H, W, ...) in one file, written in any order and read back one by one.

    A plain file and not a memory map, whose pages would count as the process's own.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
        self.shape = shape
        self._dtype = np.dtype(dtype)
        self._size = int(np.prod(shape)) * self._dtype.itemsize
        self._file = path.open('w+b')
        self._filled: set[int] = set()

    def __contains__(self, index: int) -> bool:
        """Tell whether the map of this number has been written."""
        return index in self._filled

    def __len__(self) -> int:
        """Return how many maps have been written."""
        return len(self._filled)

    def __setitem__(self, index: int, values: npt.NDArray[Any]) -> None:
        assert values.shape == self.shape
        self._file.seek(index * self._size)
        self._file.write(np.ascontiguousarray(values, self._dtype).data)
        self._filled.add(index)

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        assert index in self
        self._file.seek(index * self._size)
        data = self._file.read(self._size)
        return np.frombuffer(data, self._dtype).reshape(self.shape)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
