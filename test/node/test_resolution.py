"""The input size chosen by the governor, set on a real estimator."""

import pytest
from rclpy.logging import get_logger

from flashdepth_ros.node.governor import LOWER_FRAMES, SETTLE_FRAMES
from flashdepth_ros.node.resolution import Resolution
from flashdepth_ros.runtime import DepthEstimator

pytestmark = pytest.mark.needs_torch('an exported model has one size')

PRESET = 'flashdepth-tiny-s'


@pytest.fixture
def resolution():
    from support import golden_models

    weights = golden_models.golden_model(PRESET).state_dict()
    estimator = DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch', short_side=112)
    return Resolution(estimator, get_logger('resolution'))


def test_diagnostics_give_share_and_size_of_the_last_image(resolution):
    assert resolution.diagnostics == {'target_rate_hz': '0', 'inference_share': '1'}
    for _ in range(SETTLE_FRAMES + LOWER_FRAMES):
        resolution.prepare(10.0, 120, 160)
        resolution.observe(1000.0)
        # The last call chooses a smaller size; it is reported only with the next image.
        assert share_and_size(resolution) == ('1', '154x112')
    resolution.prepare(10.0, 120, 160)
    assert share_and_size(resolution) == ('0.85', '140x98')


def share_and_size(resolution):
    values = resolution.diagnostics
    return values['inference_share'], values['inference_size']
