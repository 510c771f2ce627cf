"""Crops of the photographs in a folder, as textures: `Photographs`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.patterns import SIZE
from flashdepth_ros.simulation.variety import Tell, first_readable, ignore

SUFFIXES = ('.jpg', '.jpeg', '.png')
_LONGEST_PX = 640
_LARGE_FILE = 400_000


@dataclass(frozen=True)
class Photograph:
    """A square crop of an image file; `edge`, `left` and `top` are shares of what is possible."""

    path: Path
    edge: float = 1.0
    left: float = 0.5
    top: float = 0.5

    def pixels(self) -> NDArray[np.uint8]:
        """
        Return the crop, (SIZE, SIZE, 3) uint8 RGB, its lowest row first as in texture space.

        :raises SimulationError: the file is not an image.
        """
        image = _read(self.path)
        height, width = image.shape[:2]
        edge = max(2, round(self.edge * min(height, width)))
        top, left = round(self.top * (height - edge)), round(self.left * (width - edge))
        crop = image[top : top + edge, left : left + edge][::-1]
        shrinks = edge > SIZE
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        square = cv2.resize(crop, (SIZE, SIZE), interpolation=method)
        return np.ascontiguousarray(square, dtype=np.uint8)


@dataclass(frozen=True)
class ImageFile:
    """A whole image file, stretched to a square: the texture of a mesh with coordinates 0 to 1."""

    path: Path

    def pixels(self) -> NDArray[np.uint8]:
        """
        Return the image, (SIZE, SIZE, 3) uint8 RGB, its lowest row first as in texture space.

        :raises SimulationError: the file is not an image.
        """
        square = cv2.resize(_read(self.path)[::-1], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(square, dtype=np.uint8)


class Photographs:
    """The image files of a folder and its subfolders; none without a folder."""

    def __init__(self, folder: Path | None = None, tell: Tell = ignore) -> None:
        """
        Find the files.

        :param tell: called with a line about each damaged file that is met, perhaps repeatedly.
        :raises SimulationError: the folder has no images.
        """
        self.paths: tuple[Path, ...] = () if folder is None else _find(folder)
        self._reserve: tuple[Path, ...] = ()
        self._tell = tell

    def sample(self, rng: np.random.Generator, count: int) -> Photographs:
        """Return a random choice of `count` files, because reading a file takes long."""
        chosen = Photographs(tell=self._tell)
        order = [self.paths[index] for index in rng.permutation(len(self.paths))]
        chosen.paths, chosen._reserve = tuple(order[:count]), tuple(order[count:])
        return chosen

    def draw(self, rng: np.random.Generator) -> Photograph:
        """
        Return a random crop of a random photograph, at least a third of it wide.

        :raises SimulationError: none of the files is an image.
        """
        start = int(rng.integers(len(self.paths)))
        edge, left, top = (float(v) for v in rng.uniform((0.33, 0.0, 0.0), 1.0))
        return Photograph(self._first_from(start), edge, left, top)

    def _first_from(self, start: int) -> Path:
        """Return the first file from this one on that is an image; tell of those before it."""
        paths = chain(self.paths[start:], self.paths[:start], self._reserve)
        found = first_readable(paths, _read, self._tell)
        if found is not None:
            return found[0]
        count = len(self.paths) + len(self._reserve)
        raise SimulationError(
            f'{self.paths[0].parent}: none of the {count} photographs can be read; a folder with '
            f'{", ".join(SUFFIXES)} files expected'
        )


@lru_cache(maxsize=4)
def _find(folder: Path) -> tuple[Path, ...]:
    paths = sorted(p for p in folder.rglob('*') if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise SimulationError(
            f'{folder}: no photographs; a folder with {", ".join(SUFFIXES)} files expected'
        )
    return tuple(paths)


@lru_cache(maxsize=140)
def _read(path: Path) -> NDArray[np.uint8]:
    """Return the image (H, W, 3), shrunk to _LONGEST_PX; JPEG decodes faster at half size."""
    try:
        large = path.stat().st_size > _LARGE_FILE
        image = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2 if large else cv2.IMREAD_COLOR)
    except (OSError, cv2.error):  # such as a link to nowhere, or more pixels than OpenCV allows
        image = None
    if image is None:
        raise SimulationError(f'{path}: not an image that OpenCV can read; remove or convert it')
    longest, shortest = max(image.shape[:2]), min(image.shape[:2])
    scale = _LONGEST_PX / longest
    if min(scale, 1.0) * shortest < 2:
        raise SimulationError(f'{path}: {shortest} px by {longest} px; remove so narrow an image')
    if scale < 1.0:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)
