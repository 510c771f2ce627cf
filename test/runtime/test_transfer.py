"""Frames in flight at the same time on an emulated GPU give the same results as one by one."""

from collections import deque

import numpy as np
import pytest
import torch

from flashdepth_ros.bags.frames import estimate_frames
from flashdepth_ros.camera.calibration import CameraInfoCache
from flashdepth_ros.errors import BagError, FlashDepthError
from flashdepth_ros.runtime import DepthEstimator, StaleFrameError
from flashdepth_ros.runtime.tensor_transfer import GpuTransfer
from support import golden_models, golden_recipe
from support.gpu_on_cpu import CPU, LateCopyStream, emulate_gpu

PRESET = 'flashdepth-tiny-s'
PERIOD_NS = 33_000_000
CAMERA = (180.0, 0.0, 49.0, 0.0, 180.0, 35.0, 0.0, 0.0, 1.0)


@pytest.fixture(scope='module')
def weights():
    return golden_models.golden_model(PRESET).state_dict()


@pytest.fixture
def create(weights):
    """Return a function that creates an estimator on the CPU that runs as on a GPU."""

    def create_estimator(**options):
        estimator = DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch', **options)
        estimator.log = emulate_gpu(estimator, PRESET)
        return estimator

    return create_estimator


def images(count, height=70, width=98):
    return [golden_recipe.frame_uint8(index, height, width) for index in range(count)]


def one_by_one(estimator, rgb_images, camera=CAMERA):
    return [
        estimator.estimate(rgb, index * PERIOD_NS, 'camera', camera)
        for index, rgb in enumerate(rgb_images)
    ]


def in_flight(estimator, rgb_images, ahead=1, camera=CAMERA):
    """Request each result after `ahead` further frames are submitted."""
    frames, pending_frames = [], deque()
    for index, rgb in enumerate(rgb_images):
        pending_frames.append(estimator.submit(rgb, index * PERIOD_NS, 'camera', camera))
        if len(pending_frames) > ahead:
            frames.append(pending_frames.popleft().result())
    return frames + [pending.result() for pending in pending_frames]


def assert_same(frames, expected):
    assert [each.position for each in frames] == [each.position for each in expected]
    for one, other in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(one.inverse_depth, other.inverse_depth)


def test_results_equal_those_of_a_cpu_estimator(create, weights):
    on_cpu = DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch')
    rgb_images = images(3)
    for frame, expected in zip(
        one_by_one(create(), rgb_images), one_by_one(on_cpu, rgb_images), strict=True
    ):
        np.testing.assert_allclose(frame.inverse_depth, expected.inverse_depth, 1e-4, 1e-6)


@pytest.mark.parametrize(('ahead', 'temporal'), [(1, True), (4, True), (1, False)])
def test_later_requests_give_the_same_results(create, ahead, temporal):
    rgb_images = images(5)
    frames = in_flight(create(temporal=temporal), rgb_images, ahead, camera=None)
    assert_same(frames, one_by_one(create(temporal=temporal), rgb_images, camera=None))


@pytest.mark.parametrize('options', [{}, {'short_side': 56}, {'output_size': 'inference'}])
def test_size_may_change_between_frames_in_flight(create, options):
    small, large = images(3), images(3, 98, 70)
    rgb_images = [small[0], small[1], large[0], small[2], large[1], large[2]]
    assert_same(
        in_flight(create(**options), rgb_images), one_by_one(create(**options), rgb_images)
    )


def test_copies_overlap_with_the_network(create):
    estimator = create()
    run = estimator.engine.run

    def logged(frames, state, **options):
        estimator.log.append('run')
        return run(frames, state, **options)

    estimator.engine.run = logged
    in_flight(estimator, images(3), estimator.ahead)
    # Each download is two copies: the sum of all values, and depth.
    assert estimator.log == [
        *('upload 0', 'upload 0 done', 'run', 'download 0', 'download 1'),
        # The next image is uploaded and the network runs before anything waits for the first
        # depth; a download starts at once, and nothing waits for it but the request of its frame.
        *('upload 1', 'upload 1 done', 'run', 'download 2', 'download 3'),
        *('download 0 done', 'download 1 done'),
        *('upload 2', 'upload 2 done', 'run', 'download 4', 'download 5'),
        *('download 2 done', 'download 3 done', 'download 4 done', 'download 5 done'),
    ]


def test_two_upload_buffers_alternate(create):
    estimator = create()
    in_flight(estimator, images(5))
    buffers = estimator.transfer._upload_stream.targets
    assert len(set(buffers)) == 2
    assert buffers[:2] * 2 == buffers[:4]


def make_states_non_finite(estimator, runs):
    """Make the state non-finite after runs: an image's number, and whether it had a state."""
    run, uploads = estimator.engine.run, GpuTransfer(CPU, (LateCopyStream('upload'),) * 2)
    numbers = {
        float(uploads.upload(rgb, rgb.shape[:2]).sum()): number
        for number, rgb in enumerate(images(5))
    }

    def run_and_invalidate(frames, state, **options):
        inverse_depth, new_state = run(frames, state, **options)
        if (numbers[float(frames.sum())], state is not None) in runs:
            new_state = type(new_state)(new_state.ssm * torch.nan)
        return inverse_depth, new_state

    estimator.engine.run = run_and_invalidate


@pytest.mark.parametrize('ahead', [1, 2])
@pytest.mark.parametrize(
    'runs',
    [
        {(0, False)},
        {(2, True)},
        {(4, True)},
        {(2, True), (2, False)},
        {(2, True), (3, True)},
        {(1, True), (3, True)},
        {(0, False), (1, False), (2, False)},
    ],
)
def test_non_finite_state_does_not_affect_later_frames(create, runs, ahead):
    estimator, expected = create(), create()
    estimator.transfer.ahead = ahead
    make_states_non_finite(estimator, runs)
    make_states_non_finite(expected, runs)
    frames = in_flight(estimator, images(5), ahead)
    assert_same(frames, one_by_one(expected, images(5)))
    assert 'non_finite' in {frame.reset_reason for frame in frames}


def test_rejected_frame_in_between_has_no_effect(create):
    estimator, rgb_images = create(), images(3)
    estimator.sequence.policy = type(estimator.sequence.policy)(backward_tolerance_s=1.0)
    first = estimator.submit(rgb_images[0], PERIOD_NS, 'camera', CAMERA)
    for _ in range(3):
        with pytest.raises(StaleFrameError):
            estimator.submit(rgb_images[2], 0, 'camera', CAMERA)
    second = estimator.submit(rgb_images[1], 2 * PERIOD_NS, 'camera', CAMERA)
    assert_same([first.result(), second.result()], one_by_one(create(), rgb_images[:2]))


def fail_download(estimator, number):
    """Make the download of a frame fail as if memory ran out."""
    download, count = estimator.transfer.download, iter(range(100))

    def download_or_fail(*arguments):
        if next(count) == number:
            raise RuntimeError('out of memory')
        return download(*arguments)

    estimator.transfer.download = download_or_fail


def test_failure_is_raised_for_its_own_frame(create):
    estimator, rgb_images = create(), images(4)
    fail_download(estimator, 1)
    pending = [estimator.submit(rgb, n * PERIOD_NS) for n, rgb in enumerate(rgb_images)]
    with pytest.raises(RuntimeError, match='out of memory'):
        pending[1].result()
    reasons = [pending[n].result().reset_reason for n in (0, 2, 3)]
    assert reasons == ['first_frame', 'non_finite', '']


class Recording(list):
    """The frames of a recording, followed by an error if one is given."""

    def __init__(self, rgb_images, error=None):
        super().__init__(Frame(index, rgb) for index, rgb in enumerate(rgb_images))
        self.error, self.skipped = error, []
        self.cameras = CameraInfoCache(print)

    def __iter__(self):
        yield from super().__iter__()
        if self.error is not None:
            raise self.error

    def skip(self, error):
        self.skipped.append(error)


class Frame:
    frame_id = 'camera'

    def __init__(self, index, rgb):
        self.stamp_ns, self.rgb, self.camera = index * PERIOD_NS, rgb, None


def process(recording, estimator):
    """Return the depth frames of a recording, and the message of the error at its end."""
    frames = []
    try:
        frames.extend(depth for _, depth in estimate_frames(recording, estimator))
    except FlashDepthError as error:
        return frames, str(error)
    return frames, ''


def test_damaged_recording_gives_all_frames_before_the_error(create):
    rgb_images = images(4)
    frames, error = process(Recording(rgb_images, BagError('damaged')), create())
    expected, _ = process(Recording(rgb_images), create())
    assert error == 'damaged'
    assert len(frames) == 4
    assert_same(frames, expected)


def test_invalid_frames_of_a_recording_are_skipped(create):
    first, second, third = images(3)
    recording = Recording([first, second[..., :2], third])
    frames, error = process(recording, create())
    assert [frame.frames_since_reset for frame in frames] == [0, 1]
    assert len(recording.skipped) == 1
    assert not error


def test_failure_of_the_engine_ends_the_recording(create):
    estimator = create()
    fail_download(estimator, 2)
    frames, error = process(Recording(images(5)), estimator)
    assert len(frames) == 2
    assert error == 'inference failed: out of memory'
