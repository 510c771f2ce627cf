"""A check of the outputs that are computed on the device, and their time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from flashdepth_ros.camera.calibration import Camera
from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.camera.lens import Lens
from flashdepth_ros.runtime.device_depth import DeviceDepth
from flashdepth_ros.runtime.device_products import DeviceProducts
from flashdepth_ros.runtime.gpu_check.bench import Bench
from flashdepth_ros.runtime.products import Products, RayCache, UInt8
from flashdepth_ros.runtime.settings import Settings

_TRIES = 10
_OUTPUTS = (
    ('depth_pixels', '32FC1'),
    ('depth_pixels', '16UC1'),
    ('cloud', '32FC1'),
    ('preview', '32FC1'),
)
"""Name in `Products`, and encoding of depth."""


@dataclass(frozen=True)
class _Image:
    """An image of a camera without distortion."""

    rgb: UInt8
    stamp_ns: int = 0
    frame_id: str = ''

    @property
    def camera(self) -> Camera:
        height, width = self.rgb.shape[:2]
        pinhole = Intrinsics(width, height, width, width, width / 2, height / 2)
        return Camera(None, pinhole, Lens('', ()))


def products(bench: Bench) -> Iterator[dict[str, Any]]:
    """Compare outputs from the device with those from arrays, number by number, and time both."""
    estimator = bench.estimator('flashdepth-s', bench.precisions[0], 364)
    image = _Image(bench.images(1, bench.size(2044, 1148))[0])
    frame, rays = estimator.estimate(image.rgb, 0), RayCache()
    on_device = frame.on_device or DeviceDepth(torch.from_numpy(frame.inverse_depth))
    for name, encoding in _OUTPUTS:
        arguments = frame.inverse_depth, image, Settings(depth_encoding=encoding), rays
        expected, array_ms = _fastest(bench, name, partial(Products, *arguments))
        found, device_ms = _fastest(
            bench, name, partial(DeviceProducts, *arguments, on_device=on_device)
        )
        times = {'device_ms': device_ms, 'array_ms': array_ms}
        yield {'output': name, 'encoding': encoding, **times, 'ok': _is_same(found, expected)}


def _fastest(
    bench: Bench, name: str, create: Callable[[], Products]
) -> tuple[npt.NDArray[Any], float]:
    """Return an output and the least time, ms, that it takes with nothing computed before."""
    times_s = []
    for _ in range(bench.count(_TRIES)):
        started_s = time.perf_counter()
        output = getattr(create(), name)
        times_s.append(time.perf_counter() - started_s)
    return output, round(1e3 * min(times_s), 2)


def _is_same(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> bool:
    if found.dtype != np.float32:
        return bool(np.array_equal(found, expected))
    # The fourth number of a point is a colour.
    colours, expected_colours = (each[..., 3:].view(np.int32) for each in (found, expected))
    same = np.array_equal(found[..., :3], expected[..., :3], equal_nan=True)
    return same and np.array_equal(colours, expected_colours)
