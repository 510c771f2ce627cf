"""Numbers of any kind from network and reference neither raise nor give a scale without sense."""

from dataclasses import replace

import numpy as np
import pytest

from flashdepth_ros.camera.calibration import Camera
from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.camera.lens import Lens
from flashdepth_ros.camera.transform_buffer import TransformBuffer
from flashdepth_ros.runtime.scale import (
    DepthReference,
    FrameView,
    GroundObserver,
    OnlineScale,
    PointReference,
    ScaleSettings,
)
from support.scale_streams import stamp_at

ANYTHING = [0.0, np.nan, np.inf, -np.inf, -1.0, 1e-30, 1e30, 1.0, 2.0, 0.5]
SETTINGS = ScaleSettings(
    scale_reference_min=0.0, scale_reference_max=1e6, scale_min_points=3, scale_min_inliers=0.0
)


def numbers(random, shape):
    """Return constants, widely spread numbers, numbers without sense, or a mixture."""
    anything = random.choice(ANYTHING, shape)
    spread = random.lognormal(0.0, random.uniform(0.0, 5.0), shape)
    mixed = np.where(random.random(shape) < 0.5, anything, spread)
    choices = (anything, np.ones(shape), spread, mixed)
    return choices[random.integers(len(choices))].astype(np.float32)


def points_of(random):
    points = numbers(random, (int(random.integers(0, 300)), 3)).astype(np.float64)
    return points[np.isfinite(points).all(axis=1)]


@pytest.mark.parametrize('model', ['scale', 'scale_shift'])
@pytest.mark.parametrize('source', ['depth', 'points', 'height'])
@pytest.mark.parametrize('seed', range(30))
def test_any_numbers_give_a_positive_finite_scale_or_none(source, model, seed):
    random = np.random.default_rng(seed)
    settings = replace(SETTINGS, scale_model=model)
    ground = replace(SETTINGS, scale_source='height', scale_camera_height=0.4)
    online, transforms = OnlineScale(), TransformBuffer()
    observer = GroundObserver(transforms)
    height, width = (int(each) for each in random.integers(1, 200, 2))
    pinhole = Intrinsics(width, height, 50.0, 50.0, width / 2, height / 2)
    camera = Camera(None, pinhole, Lens())
    for index in range(5):
        stamp_ns = stamp_at(index / 10)
        view = FrameView.of(numbers(random, (height, width)), stamp_ns, 'camera', camera)
        if source == 'depth':
            known = numbers(random, (height, width))
            online.refer(DepthReference.of(known, stamp_ns, 'camera'))
        elif source == 'points':
            online.refer(PointReference.of(points_of(random), stamp_ns, 'camera', transforms))
        else:
            online.refer(observer.reference(view, ground))
        metres = online.observe(view, index == 0, ground if source == 'height' else settings)
        assert 0 < metres.scale.factor < np.inf
        assert np.isfinite(metres.scale.shift)
        assert 0 < metres.jump < np.inf
