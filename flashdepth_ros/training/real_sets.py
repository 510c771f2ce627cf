"""
Published data sets by their published layouts: a root folder in, videos out.

Depths are metres along the optical axis in all of them. Layouts as given by TartanAir's
`data_type.md` (castacks/tartanair_tools), by Spring's and MVS-Synth's pages (spring-benchmark.org,
phuang17.github.io/DeepMVS), by PointOdyssey's `utils/reprojection.py` (y-zheng18/point_odyssey)
and by Dynamic Replica's loader (facebookresearch/dynamic_stereo).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
import gzip
import json
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.errors import InputError
from flashdepth_ros.training.video import Window

Array = NDArray[np.float32]

TARTANAIR_SKY_M = 1000.0
"""Unreal's sky is a sphere some 10 km away."""

SPRING_BASELINE_M = 0.065

_POINT_ODYSSEY_M = 1000.0
"""The depth of code 65535."""


@dataclass(frozen=True)
class FolderVideo:
    """A sequence of files: an image and a truth a frame."""

    images: tuple[Path, ...]
    truths: tuple[Path, ...]
    inverse_depth_of: Callable[[Path], Array]
    """What reads a truth: (H, W) in 1/m, 0 infinitely far, NaN unknown."""

    @property
    def length(self) -> int:
        """Return the number of frames."""
        return len(self.images)

    def read(self, frames: Sequence[int]) -> Window:
        """Read the frames of these places, in this order."""
        rgb = [_read_image(self.images[i], cv2.IMREAD_COLOR_RGB) for i in frames]
        truth = [self.inverse_depth_of(self.truths[i]) for i in frames]
        return Window(np.stack(rgb), np.stack(truth))


def find_tartanair(root: Path) -> list[FolderVideo]:
    """
    Find TartanAir's trajectories, `ENVIRONMENT/{Easy,Hard}/P000`.

    `image_left/000000_left.png`; `depth_left/000000_left_depth.npy`, metres, the sky far off.
    """
    return [
        _paired(images, images.parent / 'depth_left', '{}_depth.npy', _read_tartanair)
        for images in sorted(root.glob('**/image_left'))
    ]


def find_spring(root: Path) -> list[FolderVideo]:
    """
    Find Spring's sequences, `train/0001`.

    `frame_left/frame_left_0001.png`; `disp1_left/disp1_left_0001.dsp5`, HDF5 at twice the
    resolution, px of the image, 0 infinitely far; `cam_data/intrinsics.txt`, a line `fx fy cx cy`
    a frame; stereo baseline 6.5 cm.
    """
    return [_spring_sequence(images.parent) for images in sorted(root.glob('**/frame_left'))]


def find_mvs_synth(root: Path) -> list[FolderVideo]:
    """
    Find MVS-Synth's sequences, `GTAV_1080/0000` (or 720, 540).

    `images/0000.png`; `depths/0000.exr`, channel Y, metres, infinite for the sky.
    """
    return [
        _paired(depths.parent / 'images', depths, '{}.exr', _read_mvs_synth)
        for depths in sorted(root.glob('**/depths'))
    ]


def find_point_odyssey(root: Path) -> list[FolderVideo]:
    """
    Find PointOdyssey's scenes, `train/SCENE`.

    `rgbs/rgb_00000.jpg`; `depths/depth_00000.png`, 16 bits for 0 to 1000 m, the sky at the end.
    """
    return [
        _paired(rgbs, rgbs.parent / 'depths', 'depth{}.png', _read_point_odyssey, drop='rgb')
        for rgbs in sorted(root.glob('**/rgbs'))
    ]


def find_dynamic_replica(root: Path) -> list[FolderVideo]:
    """
    Find Dynamic Replica's left videos in the splits below `root`, or in the one split that it is.

    `SPLIT/frame_annotations_SPLIT.jgz` lists frames with the paths of image and depth below
    SPLIT; a depth is a 16-bit PNG whose codes are the bits of a half-precision float, metres.
    """
    videos = []
    for annotations in sorted(root.glob('**/frame_annotations_*.jgz')):
        sequences: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for frame in json.loads(gzip.decompress(annotations.read_bytes())):
            if frame.get('camera_name', 'left') == 'left':
                sequences[frame['sequence_name']].append(frame)
        for _, frames in sorted(sequences.items()):
            frames.sort(key=lambda frame: cast(int, frame['frame_number']))
            images, depths = (
                tuple(annotations.parent / frame[kind]['path'] for frame in frames)
                for kind in ('image', 'depth')
            )
            videos.append(FolderVideo(images, depths, _read_dynamic_replica))
    return videos


def _paired(
    images: Path, truths: Path, name: str, read: Callable[[Path], Array], drop: str = ''
) -> FolderVideo:
    """Pair the images of a folder with the truths named after them, where there are such."""
    pairs = [
        (image, truths / name.format(image.stem.removeprefix(drop)))
        for image in sorted(images.iterdir())
    ]
    pairs = [pair for pair in pairs if pair[1].exists()]
    return FolderVideo(tuple(i for i, _ in pairs), tuple(t for _, t in pairs), read)


def _spring_sequence(folder: Path) -> FolderVideo:
    lines = (folder / 'cam_data' / 'intrinsics.txt').read_text(encoding='utf-8').split('\n')
    return _paired(
        folder / 'frame_left',
        folder / 'disp1_left',
        'disp1{}.dsp5',
        SpringReader(tuple(float(line.split()[0]) for line in lines if line)),
        drop='frame',
    )


@dataclass(frozen=True)
class SpringReader:
    """Reads Spring's disparities as inverse depth."""

    focal_lengths_px: tuple[float, ...]
    """Of the frames, which count from 1."""

    def __call__(self, path: Path) -> Array:
        """Return the inverse depth of the frame whose disparities are in `path`."""
        import h5py  # type: ignore[import-untyped]

        with h5py.File(path) as file:
            disparity = np.asarray(file['disparity'], dtype=np.float32)[::2, ::2]
        focal = self.focal_lengths_px[int(path.stem.rsplit('_', 1)[1]) - 1]
        return np.where(np.isfinite(disparity), disparity / (focal * SPRING_BASELINE_M), np.nan)


def _read_tartanair(path: Path) -> Array:
    depth = np.load(path)
    return _inverse(np.where(depth > TARTANAIR_SKY_M, np.inf, depth))


def _read_mvs_synth(path: Path) -> Array:
    import OpenEXR  # type: ignore[import-not-found]

    with OpenEXR.File(str(path)) as file:
        return _inverse(np.array(file.channels()['Y'].pixels))


def _read_point_odyssey(path: Path) -> Array:
    codes = _read_image(path, cv2.IMREAD_UNCHANGED)
    depth = codes.astype(np.float32) * (_POINT_ODYSSEY_M / 65535)
    return _inverse(np.where(codes == 65535, np.inf, depth))


def _read_dynamic_replica(path: Path) -> Array:
    depth = _read_image(path, cv2.IMREAD_UNCHANGED).view(np.float16)
    return _inverse(np.where(np.isfinite(depth), depth, np.nan))


def _inverse(depth: NDArray[np.floating[Any]]) -> Array:
    """Return 1/m: 0 for infinite depth, NaN for depth that is NaN or not positive."""
    known = np.where(depth > 0, depth, np.nan).astype(np.float32)
    return np.asarray(1.0 / known, dtype=np.float32)


def _read_image(path: Path, flag: int) -> NDArray[Any]:
    image: NDArray[Any] | None = cv2.imread(str(path), flag)
    if image is None:
        raise InputError(f'{path}: missing or no image; is the data set complete?')
    return image
