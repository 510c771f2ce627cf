"""Frames that a GPU would carry and infer side by side come out as one by one."""

from collections import deque

import numpy as np
import pytest
import torch

from flashdepth_ros.bags.frames import estimated
from flashdepth_ros.errors import BagError, FlashDepthError
from flashdepth_ros.runtime import DepthEstimator, StaleFrameError
from support import golden_models, golden_recipe
from support.gpu_on_cpu import like_a_gpu

PRESET = 'flashdepth-tiny-s'
PERIOD_NS = 33_000_000
CAMERA = (180.0, 0.0, 49.0, 0.0, 180.0, 35.0, 0.0, 0.0, 1.0)


@pytest.fixture(scope='module')
def weights():
    return golden_models.golden_model(PRESET).state_dict()


@pytest.fixture
def make(weights):
    """Make an estimator on the CPU that runs as on a GPU."""

    def estimator(**options):
        made = DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch', **options)
        made.log = like_a_gpu(made, PRESET)
        return made

    return estimator


def images(count, height=70, width=98):
    return [golden_recipe.frame_uint8(index, height, width) for index in range(count)]


def one_by_one(estimator, pictures, camera=CAMERA):
    return [
        estimator.estimate(rgb, index * PERIOD_NS, 'camera', camera)
        for index, rgb in enumerate(pictures)
    ]


def side_by_side(estimator, pictures, ahead=1, camera=CAMERA):
    """Ask for each result when so many further frames are submitted."""
    frames, under_way = [], deque()
    for index, rgb in enumerate(pictures):
        under_way.append(estimator.submit(rgb, index * PERIOD_NS, 'camera', camera))
        if len(under_way) > ahead:
            frames.append(under_way.popleft().result())
    return frames + [pending.result() for pending in under_way]


def assert_same(ours, theirs):
    assert [frame.place for frame in ours] == [frame.place for frame in theirs]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.inverse_depth, other.inverse_depth)


def test_it_is_what_a_cpu_makes_of_it(make, weights):
    plain = DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch')
    pictures = images(3)
    for ours, theirs in zip(
        one_by_one(make(), pictures), one_by_one(plain, pictures), strict=True
    ):
        np.testing.assert_allclose(ours.inverse_depth, theirs.inverse_depth, 1e-4, 1e-6)


@pytest.mark.parametrize(('ahead', 'temporal'), [(1, True), (4, True), (1, False)])
def test_results_wait_for_nobody(make, ahead, temporal):
    pictures = images(5)
    ours = side_by_side(make(temporal=temporal), pictures, ahead, camera=None)
    assert_same(ours, one_by_one(make(temporal=temporal), pictures, camera=None))


@pytest.mark.parametrize('options', [{}, {'short_side': 56}, {'output_size': 'inference'}])
def test_sizes_may_change_on_the_way(make, options):
    small, large = images(3), images(3, 98, 70)
    pictures = [small[0], small[1], large[0], small[2], large[1], large[2]]
    assert_same(side_by_side(make(**options), pictures), one_by_one(make(**options), pictures))


def test_copies_run_beside_the_network(make):
    estimator = make()
    run = estimator.engine.run

    def logged(frames, state):
        estimator.log.append('run')
        return run(frames, state)

    estimator.engine.run = logged
    side_by_side(estimator, images(3), estimator.ahead)
    assert estimator.log == [
        *('there 0', 'there 0 done', 'run'),
        # The next image is on its way before the first depth is waited for,
        *('there 1', 'there 1 done', 'back 0', 'run', 'back 0 done'),
        # and depth comes back when the next frame is at the network.
        *('there 2', 'there 2 done', 'back 1', 'run', 'back 1 done'),
        *('back 2', 'back 2 done'),
    ]


def test_images_lie_in_two_places_in_turn(make):
    estimator = make()
    side_by_side(estimator, images(5))
    places = estimator.transfer._there.targets
    assert len(set(places)) == 2
    assert places[:2] * 2 == places[:4]


def spoil(estimator, spoilt):
    """Let the state that these runs leave be of no use."""
    run, count = estimator.engine.run, iter(range(100))

    def spoiling(frames, state):
        maps, after = run(frames, state)
        if next(count) in spoilt:
            after = type(after)(after.ssm * torch.nan)
        return maps, after

    estimator.engine.run = spoiling


@pytest.mark.parametrize('spoilt', [(0,), (2,), (4,), (2, 3), (1, 3)])
def test_what_is_not_finite_does_not_reach_the_next(make, spoilt):
    ours, theirs = make(), make()
    spoil(ours, spoilt)
    spoil(theirs, spoilt)
    frames = side_by_side(ours, images(5))
    assert_same(frames, one_by_one(theirs, images(5)))
    assert 'non_finite' in {frame.reset_reason for frame in frames} or spoilt == (4,)


def test_a_frame_refused_in_between_changes_nothing(make):
    estimator, pictures = make(), images(3)
    estimator.sequence.policy = type(estimator.sequence.policy)(backward_tolerance_s=1.0)
    first = estimator.submit(pictures[0], PERIOD_NS, 'camera', CAMERA)
    for _ in range(3):
        with pytest.raises(StaleFrameError):
            estimator.submit(pictures[2], 0, 'camera', CAMERA)
    second = estimator.submit(pictures[1], 2 * PERIOD_NS, 'camera', CAMERA)
    assert_same([first.result(), second.result()], one_by_one(make(), pictures[:2]))


def fail(estimator, number):
    """Let the download of a frame fail, as for want of memory."""
    download, count = estimator.transfer.download, iter(range(100))

    def failing(maps, size):
        if next(count) == number:
            raise RuntimeError('out of memory')
        return download(maps, size)

    estimator.transfer.download = failing


def test_a_failure_is_told_with_its_own_frame(make):
    estimator, pictures = make(), images(4)
    fail(estimator, 1)
    pending = [estimator.submit(rgb, n * PERIOD_NS) for n, rgb in enumerate(pictures)]
    with pytest.raises(RuntimeError, match='out of memory'):
        pending[1].result()
    reasons = [pending[n].result().reset_reason for n in (0, 2, 3)]
    assert reasons == ['first_frame', 'non_finite', '']


class Recording(list):
    """Frames of a recording that end with an error."""

    def __init__(self, pictures, error=None):
        super().__init__(Picture(index, rgb) for index, rgb in enumerate(pictures))
        self.error, self.skipped = error, []

    def __iter__(self):
        yield from super().__iter__()
        if self.error is not None:
            raise self.error

    def skip(self, error):
        self.skipped.append(error)


class Picture:
    frame_id = 'camera'

    def __init__(self, index, rgb):
        self.stamp_ns, self.rgb, self.camera = index * PERIOD_NS, rgb, None


def outcome_of(recording, estimator):
    """Return what comes of a recording, and what it ends with."""
    found = []
    try:
        found.extend(depth for _, depth in estimated(recording, estimator))
    except FlashDepthError as error:
        return found, str(error)
    return found, ''


def test_a_recording_ends_behind_its_last_good_frame(make):
    pictures = images(4)
    ours, end = outcome_of(Recording(pictures, BagError('damaged')), make())
    theirs, _ = outcome_of(Recording(pictures), make())
    assert end == 'damaged'
    assert len(ours) == 4
    assert_same(ours, theirs)


def test_broken_frames_of_a_recording_are_passed_over(make):
    first, second, third = images(3)
    recording = Recording([first, second[..., :2], third])
    frames, end = outcome_of(recording, make())
    assert [frame.frames_since_reset for frame in frames] == [0, 1]
    assert len(recording.skipped) == 1
    assert not end


def test_a_recording_ends_where_the_engine_fails(make):
    estimator = make()
    fail(estimator, 2)
    frames, end = outcome_of(Recording(images(5)), estimator)
    assert len(frames) == 2
    assert end == 'inference failed: out of memory'
