"""Sets of still images with exactly known depth: the red channel shows inverse depth."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.runtime.depth_frame import DepthFrame, StageTimes
from flashdepth_ros.runtime.sequence import ResetReason, SequencePosition

WIDTH, HEIGHT = 64, 48
K = (50.0, 0.0, 31.5, 0.0, 50.0, 23.5, 0.0, 0.0, 1.0)
#: Inverse depth of a red value, 1/m.
_STEP = 0.005

Float32 = npt.NDArray[np.float32]


def levels(seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return blocks of red values (H, W), from 0.78 to 20 m."""
    blocks = np.random.default_rng(seed).integers(10, 256, (6, 8))
    return np.kron(blocks, np.ones((8, 8))).astype(np.uint8)


def depth_of(red: npt.NDArray[np.uint8]) -> Float32:
    return (1 / (_STEP * red.astype(np.float64))).astype(np.float32)


def camera_yaml(k=K, width: int = WIDTH, height: int = HEIGHT) -> str:
    """Return the part of a calibration that camera_calibration writes first."""
    return (
        f'image_width: {width}\nimage_height: {height}\ncamera_name: head\n'
        f'camera_matrix:\n  rows: 3\n  cols: 3\n  data: {list(k)}\n'
        'distortion_model: plumb_bob\n'
    )


def write_still(folder: Path, name: str, red=None, depth=None, camera: str = '') -> Path:
    """Write an image and, as an NPY file, its depth, by default the exact one."""
    folder.mkdir(parents=True, exist_ok=True)
    red = levels() if red is None else red
    bgr = np.stack([np.full_like(red, 90), np.full_like(red, 60), red], axis=-1)
    cv2.imwrite(str(folder / f'{name}.png'), bgr)
    np.save(folder / f'{name}.depth.npy', depth_of(red) if depth is None else depth)
    if camera:
        (folder / f'{name}.camera.yaml').write_text(camera)
    return folder


def write_set(folder: Path, images: int = 2, camera: str | None = None) -> Path:
    """Write some stills and the calibration of the set; '': without one."""
    for index in range(images):
        write_still(folder, f'image_{index}', levels(index))
    if camera != '':
        (folder / 'camera.yaml').write_text(camera or camera_yaml())
    return folder


@dataclass
class RedReader:
    """Stands for an estimator: its inverse depth is that of the red channel, scaled."""

    scale: float = 1.0
    shift: float = 0.0
    matrices: list[tuple[float, ...] | None] = field(default_factory=list)

    def warm_up(self, height: int, width: int) -> None:
        pass

    def reset(self) -> None:
        pass

    def estimate(self, rgb, _stamp_ns, _frame_id='', camera_matrix=None) -> DepthFrame:
        self.matrices.append(camera_matrix)
        inverse_depth = (self.scale * _STEP * rgb[..., 0] + self.shift).astype(np.float32)
        position = SequencePosition(0, 0, ResetReason.FIRST_FRAME)
        return DepthFrame(inverse_depth, position, StageTimes(1.0, 2.0, 3.0))
