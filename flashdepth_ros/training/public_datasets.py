"""
Find the videos of public data sets in their published folder layouts.

Depth is in metres along the optical axis in all of them. The layouts are described in TartanAir's
`data_type.md` (castacks/tartanair_tools), on the pages of Spring and MVS-Synth
(spring-benchmark.org, phuang17.github.io/DeepMVS), in PointOdyssey's `utils/reprojection.py`
(y-zheng18/point_odyssey) and in Dynamic Replica's loader (facebookresearch/dynamic_stereo).
Without its camera files, a data set can only train models without `canonical_focal`.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
import gzip
import json
import math
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.errors import InputError
from flashdepth_ros.training.video import Window

Array = NDArray[np.float32]

TARTANAIR_SKY_M = 1000.0
"""Greater depth is sky: Unreal renders the sky as a sphere about 10 km away."""

TARTANAIR_FOCAL_PX = 320.0
"""Focal length of all images, which are 640 px wide."""

SPRING_BASELINE_M = 0.065

_POINT_ODYSSEY_M = 1000.0
"""Depth of the value 65535."""


@dataclass(frozen=True)
class FolderVideo:
    """A sequence of files: an image and a depth file for each frame."""

    images: tuple[Path, ...]
    depth_files: tuple[Path, ...]
    read_inverse_depth: Callable[[Path], Array]
    """Reads a depth file: (H, W) in 1/m; 0: infinitely far, NaN: unknown."""
    read_focal_px: Callable[[Path], float]
    """Returns the focal length of an image, px; NaN: unknown."""

    @property
    def length(self) -> int:
        """Return the number of frames."""
        return len(self.images)

    def name(self, frame: int) -> str:
        """Return the path of the image of a frame."""
        return str(self.images[frame])

    def read(self, frames: Sequence[int]) -> Window:
        """Read the frames of these indices, in this order."""
        bgr = [_read_image(self.images[i], cv2.IMREAD_COLOR) for i in frames]
        inverse_depth = [self.read_inverse_depth(self.depth_files[i]) for i in frames]
        focal_px = np.mean([self.read_focal_px(self.images[i]) for i in frames])
        rgb = np.ascontiguousarray(np.stack(bgr)[..., ::-1])
        return Window(rgb, np.stack(inverse_depth), float(focal_px))


def find_tartanair(root: Path) -> list[FolderVideo]:
    """
    Find TartanAir's trajectories, `ENVIRONMENT/{Easy,Hard}/P000`.

    `image_left/000000_left.png`; `depth_left/000000_left_depth.npy`, metres, the sky far away.
    """
    return [
        _pair_files(
            images,
            images.parent / 'depth_left',
            '{}_depth.npy',
            (_read_tartanair, _tartanair_focal_px),
        )
        for images in sorted(root.glob('**/image_left'))
    ]


def find_spring(root: Path) -> list[FolderVideo]:
    """
    Find Spring's sequences, `train/0001`.

    `frame_left/frame_left_0001.png`; `disp1_left/disp1_left_0001.dsp5`, HDF5, disparity at twice
    the resolution in px of the image, 0 infinitely far; `cam_data/intrinsics.txt`, a line
    `fx fy cx cy` per frame; stereo baseline 6.5 cm.
    """
    return [_spring_sequence(images.parent) for images in sorted(root.glob('**/frame_left'))]


def find_mvs_synth(root: Path) -> list[FolderVideo]:
    """
    Find MVS-Synth's sequences, `GTAV_1080/0000` (or 720, 540).

    `images/0000.png`; `depths/0000.exr`, channel Y, metres, infinite for the sky;
    `poses/0000.json`, with `f_x` in px.
    """
    return [
        _pair_files(
            depths.parent / 'images', depths, '{}.exr', (_read_mvs_synth, _mvs_synth_focal_px)
        )
        for depths in sorted(root.glob('**/depths'))
    ]


def find_point_odyssey(root: Path) -> list[FolderVideo]:
    """
    Find PointOdyssey's scenes, `train/SCENE`.

    `rgbs/rgb_00000.jpg`; `depths/depth_00000.png`, 16 bits for 0 to 1000 m, 65535 is sky;
    `anno.npz`, with `intrinsics` (T, 3, 3).
    """
    return [
        _pair_files(
            rgbs,
            rgbs.parent / 'depths',
            'depth{}.png',
            (_read_point_odyssey, _point_odyssey_focal_px),
            drop='rgb',
        )
        for rgbs in sorted(root.glob('**/rgbs'))
    ]


def find_dynamic_replica(root: Path) -> list[FolderVideo]:
    """
    Find Dynamic Replica's left videos in the splits below `root`, or in `root` if it is a split.

    `SPLIT/frame_annotations_SPLIT.jgz` lists the frames with the paths of image and depth below
    SPLIT and the viewpoint; depth is a 16-bit PNG whose values are the bits of a half-precision
    float, metres.
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
            focal_px = dict(zip(images, map(_dynamic_replica_focal_px, frames), strict=True))
            videos.append(FolderVideo(images, depths, _read_dynamic_replica, focal_px.__getitem__))
    return videos


def _pair_files(
    images: Path,
    depth_folder: Path,
    name: str,
    readers: tuple[Callable[[Path], Array], Callable[[Path], float]],
    drop: str = '',
) -> FolderVideo:
    """Pair the images of a folder with their depth files; images without one are left out."""
    pairs = [
        (image, depth_folder / name.format(image.stem.removeprefix(drop)))
        for image in sorted(images.iterdir())
    ]
    pairs = [pair for pair in pairs if pair[1].exists()]
    return FolderVideo(tuple(i for i, _ in pairs), tuple(d for _, d in pairs), *readers)


def _spring_sequence(folder: Path) -> FolderVideo:
    lines = (folder / 'cam_data' / 'intrinsics.txt').read_text(encoding='utf-8').split('\n')
    reader = SpringReader(tuple(float(line.split()[0]) for line in lines if line))
    return _pair_files(
        folder / 'frame_left',
        folder / 'disp1_left',
        'disp1{}.dsp5',
        (reader.inverse_depth, reader.focal_px),
        drop='frame',
    )


@dataclass(frozen=True)
class SpringReader:
    """Reads the disparity of a Spring sequence, with the focal lengths of its frames."""

    focal_lengths_px: tuple[float, ...]
    """Focal lengths of the frames, which are numbered from 1."""

    def focal_px(self, path: Path) -> float:
        """Return the focal length of the frame of an image or disparity file."""
        return self.focal_lengths_px[_number(path) - 1]

    def inverse_depth(self, path: Path) -> Array:
        """Read a disparity file and return its inverse depth."""
        import h5py  # type: ignore[import-untyped]

        with h5py.File(path) as file:
            disparity = np.asarray(file['disparity'], dtype=np.float32)[::2, ::2]
        focal = self.focal_px(path)
        return np.where(np.isfinite(disparity), disparity / (focal * SPRING_BASELINE_M), np.nan)


def _tartanair_focal_px(_: Path) -> float:
    return TARTANAIR_FOCAL_PX


def _mvs_synth_focal_px(image: Path) -> float:
    pose = image.parents[1] / 'poses' / f'{image.stem}.json'
    return float(json.loads(pose.read_bytes())['f_x']) if pose.exists() else math.nan


def _point_odyssey_focal_px(image: Path) -> float:
    annotations = image.parents[1] / 'anno.npz'
    if not annotations.exists():
        return math.nan
    return float(_read_intrinsics(annotations)[_number(image), 0, 0])


@cache
def _read_intrinsics(annotations: Path) -> Array:
    """Read the intrinsics of a scene (T, 3, 3); cached for all its frames."""
    with np.load(annotations) as arrays:
        return np.asarray(arrays['intrinsics'], dtype=np.float32)


def _dynamic_replica_focal_px(frame: dict[str, Any]) -> float:
    """Convert a focal length from units of half the width, or half the short side, to px."""
    viewpoint, (height, width) = frame['viewpoint'], frame['image']['size']
    bounds = viewpoint['intrinsics_format'].lower() == 'ndc_norm_image_bounds'
    return float(viewpoint['focal_length'][0]) * (width if bounds else min(height, width)) / 2.0


def _number(path: Path) -> int:
    """Return the number at the end of a file name: 12 of `rgb_00012.jpg`."""
    return int(path.stem.rsplit('_', 1)[1])


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


def _inverse(depth: NDArray[np.floating]) -> Array:
    """Return 1/m: 0 for infinite depth, NaN where depth is NaN or not positive."""
    known = np.where(depth > 0, depth, np.nan).astype(np.float32)
    return np.asarray(1.0 / known, dtype=np.float32)


def _read_image(path: Path, flag: int) -> NDArray[Any]:
    image: NDArray[Any] | None = cv2.imread(str(path), flag)
    if image is None:
        raise InputError(f'{path}: missing or not an image; check that the data set is complete')
    return image
