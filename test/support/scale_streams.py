"""Streams of frames and references with a known scale, for tests of the online scale."""

import numpy as np

from flashdepth_ros.camera.calibration import Camera
from flashdepth_ros.camera.geometry import Intrinsics, back_project, rays
from flashdepth_ros.camera.lens import Lens
from flashdepth_ros.runtime.scale import DepthReference, FrameView

SIZE = (120, 160)
FOCAL = 250.0
RATE_HZ = 10.0


def stamp_at(seconds):
    return 10**12 + round(seconds * 1e9)


def true_depth(seconds, size=SIZE):
    """Return depth (H, W) of a floor, a wall and a box that moves, in metres."""
    rows, columns = (np.mgrid[: size[0], : size[1]] + 0.5) / np.array(size)[:, None, None]
    floor = 0.6 / np.maximum(rows - 0.45, 0.02)
    depth = np.minimum(floor, 6.0 + 2.0 * columns)
    left = 0.3 + 0.2 * np.sin(seconds)
    box = (columns > left) & (columns < left + 0.2) & (rows > 0.3) & (rows < 0.8)
    return np.where(box, 2.0, depth).astype(np.float32)


def predicted(seconds, factor, noise=0.05, shift=0.0, size=SIZE):
    """Return inverse depth (H, W) of a network whose depth has to be multiplied by the factor."""
    random = np.random.default_rng(round(1000 * seconds))
    errors = np.exp(random.normal(0.0, noise, size))
    metric = 1 / true_depth(seconds, size) - shift
    return (factor * metric * errors).astype(np.float32)


def reference(seconds, outliers=0.01, size=(60, 80), frame_id='camera', late_s=0.0):
    """Return a depth reference with a share of outliers, some unknown pixels and noise."""
    random = np.random.default_rng(round(1000 * seconds) + 1)
    depth = true_depth(seconds, size) * np.exp(random.normal(0.0, 0.01, size))
    wrong = random.random(size) < outliers
    depth[wrong] = random.uniform(0.3, 25.0, wrong.sum())
    depth[random.random(size) < 0.1] = np.nan
    return DepthReference.of(depth.astype(np.float32), stamp_at(seconds + late_s), frame_id)


def view(seconds, factor, frame_id='camera', camera=None, **changes):
    inverse = predicted(seconds, factor, **changes)
    return FrameView.of(inverse, stamp_at(seconds), frame_id, camera)


def camera(focal=FOCAL):
    """Return the camera of the frames, at twice their size."""
    height, width = (2 * each for each in SIZE)
    pinhole = Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
    return Camera(None, pinhole, Lens())


def true_points(seconds, stride=3):
    """Return points (N, 3) of the scene in the optical frame, with a few outliers."""
    size = tuple(2 * each for each in SIZE)
    depth = true_depth(seconds, size)[::stride, ::stride].copy()
    depth.ravel()[::97] *= 0.4
    return back_project(depth, rays(camera().pinhole, stride)).reshape(-1, 3).astype(np.float64)


def ground_depth(height, tilt=(0.15, 0.05), wall=8.0, table=0.0):
    """
    Return depth (H, W) of a floor with obstacles and a wall, in metres.

    :param height: of the camera above the floor, m.
    :param tilt: pitch down and roll of the camera, rad.
    :param table: share of the columns with a table, at half the height.
    """
    down = down_axis(tilt)
    directions = rays(camera().pinhole.resized(*SIZE[::-1]))
    directions = np.concatenate((directions, np.ones_like(directions[..., :1])), axis=-1)
    falling = np.maximum(directions @ down, 1e-6)
    depth = np.minimum(height / falling, wall)
    columns = np.arange(SIZE[1]) / SIZE[1]
    boxes = (np.abs(columns - 0.2) < 0.08) | (np.abs(columns - 0.7) < 0.1)
    depth = np.where(boxes, np.minimum(depth, 0.35 * wall), depth)
    on_table = columns < table
    return np.where(on_table, np.minimum(depth, 0.5 * height / falling), depth)


def down_axis(tilt):
    """Return the direction of gravity (3,) in the optical frame, for pitch down and roll."""
    pitch, roll = tilt
    return np.array([np.sin(roll) * np.cos(pitch), np.cos(roll) * np.cos(pitch), np.sin(pitch)])


def ground_view(seconds, factor, noise=0.05, **scene):
    """Return a frame of `ground_depth` whose depth has to be multiplied by the factor."""
    random = np.random.default_rng(round(1000 * seconds))
    inverse = factor / ground_depth(**scene) * np.exp(random.normal(0.0, noise, SIZE))
    return FrameView.of(inverse.astype(np.float32), stamp_at(seconds), 'camera', camera())
