"""The size that the governor chooses, on a real estimator."""

import pytest
from rclpy.logging import get_logger

from flashdepth_ros.node.governor import LOWER_FRAMES, SETTLE_FRAMES
from flashdepth_ros.node.resolution import Resolution
from flashdepth_ros.runtime import DepthEstimator
from support import golden_models

PRESET = 'flashdepth-tiny-s'


@pytest.fixture
def resolution():
    weights = golden_models.golden_model(PRESET).state_dict()
    estimator = DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch', short_side=112)
    return Resolution(estimator, get_logger('resolution'))


def test_share_and_size_are_told_as_the_last_image_was_seen(resolution):
    assert resolution.facts == {'target_rate_hz': '0', 'inference_share': '1'}
    for _ in range(SETTLE_FRAMES + LOWER_FRAMES):
        resolution.prepare(10.0, 120, 160)
        resolution.observe(1000.0)
        # Also after the last of them, by which a smaller size has been chosen for the next image.
        said = resolution.facts['inference_share'], resolution.facts['inference_size']
        assert said == ('1', '154x112')
    resolution.prepare(10.0, 120, 160)
    said = resolution.facts['inference_share'], resolution.facts['inference_size']
    assert said == ('0.85', '140x98')
