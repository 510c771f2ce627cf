"""Several streams with one engine: as if each had its own, alone and in batches."""

import numpy as np
import pytest

from flashdepth_ros.runtime import DepthEstimator, ResetReason, StaleFrameError
from flashdepth_ros.runtime.batch import batch_gain, launch_together
from flashdepth_ros.runtime.sequence import SequencePolicy
from support import golden_models, golden_recipe

PERIOD_NS = 33_000_000


@pytest.fixture(scope='module', params=['flashdepth-tiny-s', 'video-depth-anything-tiny'])
def create(request):
    weights = golden_models.golden_model(request.param).state_dict()
    return lambda: DepthEstimator(request.param, weights, 'cpu', 'fp32', 'torch')


def frame_of(camera, index, height=112, width=140):
    image = golden_recipe.frame_uint8(index + 7 * camera, height, width)
    return image, index * PERIOD_NS


def cameras(create, count):
    first = create()
    return [first, *(first.for_another_camera('input') for _ in range(count - 1))]


def together(estimators, frames):
    pending = [each.prepare(*frame) for each, frame in zip(estimators, frames, strict=True)]
    launch_together(estimators, pending)
    return [each.result() for each in pending]


def assert_equal(frame, expected):
    np.testing.assert_allclose(frame.inverse_depth, expected.inverse_depth, 1e-4, 1e-6)
    assert frame.position == expected.position


def test_streams_of_one_engine_do_not_touch_each_other(create):
    own, shared = [create() for _ in range(3)], cameras(create, 3)
    for index in range(4):
        for camera in range(3):
            if (index, camera) == (2, 1):
                own[1].reset()
                shared[1].reset()
            frame = frame_of(camera, index)
            assert_equal(shared[camera].estimate(*frame), own[camera].estimate(*frame))


def test_a_batch_gives_what_single_frames_give(create):
    own, shared = [create() for _ in range(3)], cameras(create, 3)
    for index in range(4):
        # One stream starts anew in the middle of the others, and has another size then.
        size = (98, 126) if index >= 2 else (112, 140)
        frames = [frame_of(0, index), frame_of(1, index, *size), frame_of(2, index)]
        results = together(shared, frames)
        for estimator, frame, result in zip(own, frames, results, strict=True):
            assert_equal(result, estimator.estimate(*frame))
    assert [each.frames_since_reset for each in results] == [3, 1, 3]


def test_a_failed_stream_of_a_batch_does_not_touch_the_others(create):
    own, shared = create(), cameras(create, 2)
    for index in range(3):
        frames = [frame_of(camera, index) for camera in range(2)]
        pending = [each.prepare(*frame) for each, frame in zip(shared, frames, strict=True)]
        if index == 1:
            pending[1].frame[:] = np.nan
        launch_together(shared, pending)
        good, bad = (each.result() for each in pending)
        assert_equal(good, own.estimate(*frames[0]))
        assert np.isfinite(bad.inverse_depth).all() == (index != 1)
        assert (bad.reset_reason == ResetReason.NON_FINITE) == (index == 1)


def test_policies_belong_to_the_streams(create):
    first = create()
    other = first.for_another_camera('inference', SequencePolicy(backward_tolerance_s=1.0))
    image, _ = frame_of(0, 0)
    for estimator in (first, other):
        estimator.estimate(image, PERIOD_NS)
    assert first.estimate(image, 0).reset_reason == ResetReason.STAMP_BACK
    with pytest.raises(StaleFrameError):
        other.estimate(image, 0)


def test_gain_of_batches_is_measured(create):
    assert batch_gain(create().engine, 2, (28, 42)) > 0
