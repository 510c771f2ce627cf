"""
Clips on disk: one zip file per clip, with JPEG, PNG and JSON members.

`rgb/000000.jpg` is a frame (JPEG, quality 95); `inverse_depth/000000.png` its inverse depth in 16
bits: 0 is infinitely far, 65535 unknown, other values are multiples of `inverse_depth_step` (1/m).
`camera.json` holds that step, the intrinsics `[fx, fy, cx, cy]` (px), and for each frame
`stamps_ns` and `poses`, camera to world, row by row; the camera looks along z with y down.
Planes are linear in inverse depth, so PNG compresses it well: a frame of 224 x 168 takes about
25 KB and 0.8 ms to read, one of 640 x 480 about 150 KB and 4.5 ms.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any, NamedTuple
import zipfile
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.errors import InputError
from flashdepth_ros.training.video import Window
from flashdepth_ros.training.writing import writing

SUFFIX = '.clip.zip'
JPEG_QUALITY = 95
_UNKNOWN = 65535
_HIGHEST = 65534
_CAMERA = 'camera.json'


class Camera(NamedTuple):
    """The camera of a clip: intrinsics, poses and time stamps."""

    intrinsics: tuple[float, float, float, float]
    """fx, fy, cx, cy of the images as stored, px."""
    poses: NDArray[np.float64]
    """(T, 4, 4), camera to world; the camera looks along z with y down."""
    stamps_ns: list[int]

    def resized(self, old: tuple[int, ...], new: tuple[int, int]) -> 'Camera':
        """Return this camera for a central crop and resize from `old` to `new` (height, width)."""
        fx, fy, cx, cy = self.intrinsics
        scale = min(old[0] / new[0], old[1] / new[1])
        cx, cy = (
            (centre - (whole - 1) / 2) / scale + (part - 1) / 2
            for centre, whole, part in ((cx, old[1], new[1]), (cy, old[0], new[0]))
        )
        return self._replace(intrinsics=(fx / scale, fy / scale, cx, cy))


@dataclass(frozen=True)
class Clip:
    """A clip on disk; every read opens the file, so that a clip can be sent to other processes."""

    path: Path
    length: int
    """Frames."""

    @staticmethod
    def open(path: Path) -> 'Clip':
        """
        Open the clip at `path` and count its frames.

        :raises InputError: the file is not a clip.
        """
        with _open_archive(path) as archive:
            return Clip(path, sum(name.endswith('.jpg') for name in archive.namelist()))

    def name(self, _frame: int) -> str:
        """Return the path of the clip."""
        return str(self.path)

    def read(self, frames: Sequence[int]) -> Window:
        """
        Read the frames of these indices, in this order.

        :raises InputError: the file is damaged.
        """
        with _open_archive(self.path) as archive:
            camera = json.loads(archive.read(_CAMERA))
            bgr = [_decode(archive, f'rgb/{i:06d}.jpg', cv2.IMREAD_COLOR) for i in frames]
            codes = [
                _decode(archive, f'inverse_depth/{i:06d}.png', cv2.IMREAD_UNCHANGED)
                for i in frames
            ]
            inverse_depth = np.stack(codes).astype(np.float32)
            inverse_depth[inverse_depth == _UNKNOWN] = np.nan
            inverse_depth *= np.float32(camera['inverse_depth_step'])
            # OpenCV 4.5 and 4.6, of Ubuntu 22.04 and 24.04, have no IMREAD_COLOR_RGB.
            rgb = np.ascontiguousarray(np.stack(bgr)[..., ::-1])
            return Window(rgb, inverse_depth, camera['intrinsics'][0])

    def camera(self) -> Camera:
        """
        Read intrinsics, poses and stamps.

        :raises InputError: the file is damaged.
        """
        with _open_archive(self.path) as archive:
            content = json.loads(archive.read(_CAMERA))
            fx, fy, cx, cy = content['intrinsics']
            poses = np.array(content['poses'], dtype=np.float64).reshape(-1, 4, 4)
            return Camera((fx, fy, cx, cy), poses, content['stamps_ns'])


def find_clips(folder: Path) -> list[Clip]:
    """Return the clips in `folder` and its subfolders, ordered by path."""
    return [Clip.open(path) for path in sorted(folder.rglob(f'*{SUFFIX}'))]


def write_clip(
    path: Path, rgb: NDArray[np.uint8], depth: NDArray[np.floating], camera: Camera
) -> None:
    """
    Write a clip; the file gets its final name only when it is complete.

    :param path: the name must end in `.clip.zip`.
    :param rgb: (T, H, W, 3).
    :param depth: (T, H, W) metres along the optical axis; +Inf for the sky, NaN for unknown.
    :raises InputError: a wrong name, a wrong shape, or different numbers of frames, poses, stamps.
    :raises ConfigError: it cannot be written.
    """
    _check(path, rgb, depth, camera)
    with np.errstate(divide='ignore'):
        inverse_depth = (1.0 / depth.astype(np.float64)).astype(np.float32)
    known = np.isfinite(inverse_depth)
    step = max(float(inverse_depth[known].max(initial=0.0)), 1e-6) / _HIGHEST
    codes = np.where(known, np.round(np.where(known, inverse_depth, 0) / step), _UNKNOWN)
    content = {
        'inverse_depth_step': step,
        'intrinsics': list(camera.intrinsics),
        'stamps_ns': [int(stamp) for stamp in camera.stamps_ns],
        'poses': np.asarray(camera.poses, dtype=np.float64).reshape(-1, 16).tolist(),
    }
    partial = path.with_suffix('.partial')
    with writing(path, partial):
        with zipfile.ZipFile(partial, 'w', zipfile.ZIP_STORED) as archive:
            archive.writestr(_CAMERA, json.dumps(content))
            for index, (image, code) in enumerate(zip(rgb, codes.astype(np.uint16), strict=True)):
                archive.writestr(f'rgb/{index:06d}.jpg', _encode_jpeg(image))
                archive.writestr(f'inverse_depth/{index:06d}.png', _encode_png(code))
        partial.replace(path)


def _check(
    path: Path, rgb: NDArray[np.uint8], depth: NDArray[np.floating], camera: Camera
) -> None:
    if not path.name.endswith(SUFFIX):
        raise InputError(f'{path}: the name of a clip must end in {SUFFIX}')
    if rgb.ndim != 4 or rgb.shape[3] != 3 or rgb.dtype != np.uint8 or rgb.shape[:3] != depth.shape:
        raise InputError(
            f'{rgb.dtype} images {rgb.shape} and depth {depth.shape} given; '
            'uint8 (T, H, W, 3) and (T, H, W) expected'
        )
    if not len(rgb) == len(camera.poses) == len(camera.stamps_ns):
        raise InputError(
            f'{len(rgb)} frames, {len(camera.poses)} poses and {len(camera.stamps_ns)} stamps '
            'given; one of each for every frame expected'
        )


_DAMAGE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError),
    *(KeyError, IndexError, TypeError, ValueError, cv2.error),
)
"""What reading a damaged archive, and using what was read, can raise."""


@contextmanager
def _open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """
    Open a clip for the block in which its content is read and used.

    :raises InputError: the file is not a clip, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _DAMAGE as error:
        reason = getattr(error, 'strerror', None) or ' '.join(str(error).split())
        raise InputError(f'{path}: not a clip, or damaged ({reason}); write it again') from error


def _decode(archive: zipfile.ZipFile, name: str, flag: int) -> NDArray[Any]:
    data = np.frombuffer(archive.read(name), dtype=np.uint8)
    image: NDArray[Any] | None = cv2.imdecode(data, flag)
    if image is None:
        raise ValueError(f'{name} is no image')
    return image


def _encode_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    return bytes(cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def _encode_png(codes: NDArray[np.uint16]) -> bytes:
    return bytes(cv2.imencode('.png', codes, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])
