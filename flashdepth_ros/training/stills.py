"""Folders of still images with true depth as training videos: doc/recordings.md has the layout."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import math
from pathlib import Path

import numpy as np

from flashdepth_ros.camera.geometry import invert
from flashdepth_ros.camera.sampling import is_dense
from flashdepth_ros.errors import FlashDepthError, InputError
from flashdepth_ros.stills.set_folders import find_sets
from flashdepth_ros.stills.still import Still
from flashdepth_ros.stills.still_set import StillSet
from flashdepth_ros.training.resizing import resize_inverse_depth
from flashdepth_ros.training.video import Window


@dataclass(frozen=True)
class StillVideo:
    """One still image, or those of a set that is a video; every read opens the files."""

    folder: Path
    stills: tuple[Still, ...]

    @property
    def length(self) -> int:
        """Return the number of images."""
        return len(self.stills)

    def name(self, frame: int) -> str:
        """Return the path of an image."""
        return str(self.stills[frame].image)

    def read(self, frames: Sequence[int]) -> Window:
        """
        Read the images of these indices, in this order; depth has the size of the image.

        :raises InputError: a file cannot be read, the files of an image do not fit together, or
            the images differ in size.
        """
        with _named(self.folder):
            windows = [_read(self.stills[index]) for index in frames]
            self._check_sizes(frames, windows)
        rgb, inverse_depth, focal_px = zip(*windows, strict=True)
        return Window(np.concatenate(rgb), np.concatenate(inverse_depth), float(np.mean(focal_px)))

    def _check_sizes(self, frames: Sequence[int], windows: Sequence[Window]) -> None:
        sizes = [window.rgb.shape[2:0:-1] for window in windows]
        for index, (width, height) in zip(frames, sizes, strict=True):
            if (width, height) != sizes[0]:
                raise InputError(
                    f'{self.stills[index].image.name} has {width} x {height} px, '
                    f'{self.stills[frames[0]].image.name} {sizes[0][0]} x {sizes[0][1]} px; '
                    'expected images of one size in a video'
                )


def find_stills(root: Path) -> list[StillVideo]:
    """
    Return the images of a set, or of the sets in a folder, ordered by path: a video for each.

    The images of a set whose set.yaml has `video: true` are one video.

    :raises ConfigError: there is no true depth, or a key or value of a set.yaml is not valid.
    :raises InputError: a set.yaml cannot be read, or it is not known which files belong together.
    """
    return [video for folder in find_sets(root).sets for video in _videos(folder)]


def _videos(folder: Path) -> list[StillVideo]:
    with _named(folder):
        found = StillSet.read(folder)
        if found.unpaired:
            name, text, _ = found.unpaired[0]
            raise InputError(f'{name}: {text}')
    if found.options.video:
        return [StillVideo(folder, found.stills)]
    return [StillVideo(folder, (still,)) for still in found.stills]


def _read(still: Still) -> Window:
    """Return an image as a window of one frame."""
    rgb, depth = still.rgb(), still.true_depth()
    still.check_aspect(rgb.shape, depth.shape)
    matrix = still.camera_matrix(rgb.shape)
    focal_px = (matrix[0] + matrix[4]) / 2 if matrix else math.nan
    inverse_depth = invert(depth)
    if depth.shape != rgb.shape[:2]:
        size = rgb.shape[0], rgb.shape[1]
        inverse_depth = resize_inverse_depth(inverse_depth, size, is_dense(inverse_depth))
    return Window(rgb[None], inverse_depth[None], focal_px)


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Put the folder before the errors of the block, which name files only."""
    try:
        yield
    except FlashDepthError as error:
        raise type(error)(f'{folder}: {error}') from error
