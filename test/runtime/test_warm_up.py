"""The warm-up of an estimator: it changes nothing, and measures the rate."""

import time

import numpy as np
import pytest

from flashdepth_ros.runtime import DepthEstimator
from support import golden_models, golden_recipe

PRESET = 'flashdepth-tiny-s'
PERIOD_NS = 33_000_000


@pytest.fixture(scope='module')
def create():
    weights = golden_models.golden_model(PRESET).state_dict()
    return lambda: DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch')


def test_warm_up_does_not_change_the_state(create):
    cold, warm = create(), create()
    for index, image in enumerate(golden_recipe.frame_uint8(each, 112, 140) for each in range(2)):
        warm.warm_up(112, 140)
        expected, frame = (e.estimate(image, index * PERIOD_NS) for e in (cold, warm))
        np.testing.assert_array_equal(frame.inverse_depth, expected.inverse_depth)
        assert frame.position == expected.position


def test_warm_up_measures_the_rate_of_its_second_frame(create, monkeypatch):
    estimator = create()
    assert estimator.warm_rate_hz == 0
    infer, delays_s = estimator._infer, iter([0.5, 0.05])

    def slow(frame):
        time.sleep(next(delays_s))
        return infer(frame)

    monkeypatch.setattr(estimator, '_infer', slow)
    estimator.warm_up(112, 140)
    assert 2 < estimator.warm_rate_hz < 20
