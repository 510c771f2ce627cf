"""When the node starts a new sequence, for each reset reason, and when it does not."""

from contextlib import contextmanager

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from flashdepth_ros.runtime import DepthEstimator
from support.network import ENGINE, MODEL
from support.node_bench import RELIABLE, depth_of, random_image, stamp_of, start_bench, values_of
from support.node_process import golden_weights

PRESET = 'flashdepth-tiny-s' if MODEL else 'flashdepth-tiny'
MS = 1_000_000
BLACK, WHITE = (np.full((120, 160, 3), level, np.uint8) for level in (0, 255))


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sequences')
    return golden_weights(folder, PRESET, make_white_overflow)


@pytest.fixture(scope='module')
def bench(tmp_path_factory, weights):
    folder = tmp_path_factory.mktemp('sequences')
    with start_bench(folder, model=PRESET, weights=weights) as bench:
        bench.depth = bench.subscribe('/depth/image', Image)
        bench.images = bench.create_publisher()
        bench.camera_info = bench.create_publisher('/camera_info', CameraInfo)
        bench.clock = bench.node.create_publisher(Clock, '/clock', RELIABLE)
        bench.connect(bench.images, bench.image(BLACK), bench.depth)
        yield bench


def make_white_overflow(model):
    """Change the weights: a channel is 0 for black images and overflows for white ones."""
    import torch

    head = model.decoder.head
    outputs = []
    hook = head.conv2.register_forward_hook(lambda _, __, output: outputs.append(output))
    with torch.no_grad():
        for level in (-2.0, 2.5):
            model(torch.full((1, 1, 3, 112, 154), level))
        hook.remove()
        black, white = (activation.amax(dim=(0, 2, 3)) for activation in outputs)
        channel = int((white - black).argmax())
        threshold = (white + black)[channel] / 2
        head.conv2.bias[channel] -= threshold
        head.conv2.weight[channel] *= 1e30
        head.conv2.bias[channel] *= 1e30
        head.conv3.weight[:, channel] = 1e20


def frames(bench, count=3, rgb=BLACK, **changes):
    return [bench.image(rgb, **changes) for _ in range(count)]


@contextmanager
def one_reset(bench, reason):
    """Check for exactly one reset, with that reason, in `~/timing` and in diagnostics."""
    resets = int(bench.summary()['resets'])
    bench.timing.clear()
    timings = []
    yield timings
    assert [each['reset_reason'] for each in timings] == [reason, *[''] * (len(timings) - 1)]
    indices = [int(each['frames_since_reset']) for each in timings]
    assert indices == list(range(len(timings)))
    assert len({each['sequence_id'] for each in timings}) == 1
    after = bench.wait_for(resets=str(resets + 1))
    assert after['last_reset_reason'] == reason


def send(bench, timings, messages):
    timings.extend(bench.process_all(bench.images, messages))


def test_first_frame(bench):
    summary = bench.summary()
    assert (summary['resets'], summary['last_reset_reason']) == ('1', 'first_frame')


def test_node_and_estimator_give_the_same_depth(bench, weights):
    estimator = DepthEstimator(PRESET, weights, 'cpu', 'fp32', ENGINE, short_side=112)
    bench.reset()
    for seed in (1, 2, 3, 3):
        image = bench.image(random_image(seed))
        metres = depth_of(bench.round_trip(bench.images, image, bench.depth))
        expected = estimator.estimate(random_image(seed), bench.stamp_ns).depth
        np.testing.assert_allclose(metres, expected, rtol=1e-5, atol=1e-5)
    fresh = DepthEstimator(PRESET, weights, 'cpu', 'fp32', ENGINE, short_side=112)
    without_past = fresh.estimate(random_image(3), 0).depth
    assert np.abs(without_past - expected).max() > 1e-3


def process(bench, *steps_ns):
    images = [bench.image(BLACK, step_ns=step_ns) for step_ns in steps_ns]
    return bench.process_all(bench.images, images)


def test_jitter_and_drops_do_not_reset(bench):
    resets = bench.summary()['resets']
    first, *others = process(bench, 33 * MS, 1 * MS, 65 * MS)
    same = bench.image(BLACK, step_ns=0)
    bench.images.publish(same)
    stamp = same.header.stamp
    bench.spin_until(lambda: [each.header.stamp for each in bench.timing].count(stamp) == 2)
    others += process(bench, 1_990 * MS, 33 * MS)
    for image in frames(bench, 8):
        bench.images.publish(image)
    last = bench.timing_of(image)
    assert {each['reset_reason'] for each in (first, *others, last)} == {''}
    assert last['sequence_id'] == first['sequence_id']
    assert int(last['frames_since_reset']) >= int(first['frames_since_reset']) + len(others) + 2
    assert bench.summary()['resets'] == resets


def test_stamp_back(bench):
    with one_reset(bench, 'stamp_back') as timings:
        bench.stamp_ns -= 10**9
        send(bench, timings, frames(bench))


def test_stamp_back_within_the_tolerance_is_stale(bench):
    assert not bench.set(**{'reset.backward_tolerance': 0.5})
    before = bench.summary()
    ahead, late, next_ = frames(bench)
    late.header.stamp = stamp_of(bench.stamp_ns - 200 * MS)
    bench.process_all(bench.images, [ahead])
    bench.images.publish(late)
    after = bench.wait_for(dropped_stale=str(int(before['dropped_stale']) + 1))
    (timing,) = bench.process_all(bench.images, [next_])
    assert timing['reset_reason'] == ''
    assert after['resets'] == before['resets']
    assert not bench.set(**{'reset.backward_tolerance': 0.0})


def test_gap(bench):
    with one_reset(bench, 'gap') as timings:
        bench.next_stamp(2_100 * MS)
        send(bench, timings, frames(bench))
    assert not bench.set(**{'reset.max_gap': 0.0})
    bench.next_stamp(10**11)
    (timing,) = bench.process_all(bench.images, frames(bench, 1))
    assert timing['reset_reason'] == ''
    assert not bench.set(**{'reset.max_gap': 2.0})


@pytest.mark.needs_torch('an exported model has one shape of images')
def test_size(bench):
    with one_reset(bench, 'geometry_changed') as timings:
        send(bench, timings, frames(bench, rgb=BLACK[:, :140].copy()))
    with one_reset(bench, 'geometry_changed') as timings:
        send(bench, timings, frames(bench))


def test_frame_id(bench):
    with one_reset(bench, 'geometry_changed') as timings:
        send(bench, timings, frames(bench, frame_id='other'))


def test_camera_matrix(bench):
    info = CameraInfo(width=160, height=120, k=[99.0, 0.0, 80.0, 0.0, 99.0, 60.0, 0.0, 0.0, 1.0])
    info.header.frame_id = 'other'
    bench.camera_info.publish(info)
    bench.spin_for(0.3)
    first_with_k = bench.process_all(bench.images, frames(bench, frame_id='other'))
    assert {each['reset_reason'] for each in first_with_k} == {''}
    with one_reset(bench, 'geometry_changed') as timings:
        info.k[0] = 98.0
        bench.camera_info.publish(info)
        bench.spin_for(0.3)
        send(bench, timings, frames(bench, frame_id='other'))


def test_service(bench):
    with one_reset(bench, 'requested') as timings:
        bench.reset()
        bench.reset()
        send(bench, timings, frames(bench, frame_id='other'))


@pytest.mark.parametrize('jump_s', [-0.5, 30.0])
def test_clock_jump(bench, jump_s):
    assert not bench.set(use_sim_time=True)
    bench.spin_until(bench.clock.get_subscription_count)
    tick(bench, 500.0, 500.05, 501.0)
    bench.reset()
    bench.process_all(bench.images, frames(bench, 1, frame_id='other'))
    tick(bench, 501.1, 502.9)
    (timing,) = bench.process_all(bench.images, frames(bench, 1, frame_id='other'))
    assert timing['reset_reason'] == ''
    with one_reset(bench, 'clock_jump') as timings:
        tick(bench, 502.9 + jump_s)
        send(bench, timings, frames(bench, frame_id='other'))
    assert not bench.set(use_sim_time=False)


def tick(bench, *seconds):
    for each in seconds:
        bench.clock.publish(Clock(clock=stamp_of(int(each * 1000) * MS)))
        bench.spin_for(0.1)


@pytest.mark.needs_torch('an exported model has no changed weights')
def test_non_finite_output(bench):
    bench.process_all(bench.images, frames(bench))
    with one_reset(bench, 'non_finite') as timings:
        image = bench.image(WHITE)
        metres = depth_of(bench.round_trip(bench.images, image, bench.depth))
        assert np.isnan(metres).any()
        timings.append(bench.timing_of(image))
        send(bench, timings, frames(bench))
    bench.spin_until(lambda: bench.diagnostics[-1].status[0].level == DiagnosticStatus.OK)
    levels = [message.status[0].level for message in bench.diagnostics]
    assert DiagnosticStatus.ERROR in levels
    metres = depth_of(bench.round_trip(bench.images, bench.image(BLACK), bench.depth))
    assert np.isfinite(metres).all()


def test_swapped_frames_give_one_advice(bench):
    for _ in range(3):
        first, second, third = frames(bench)
        bench.process_all(bench.images, [second, first, third])
    advice = 'set reset.backward_tolerance to'
    bench.spin_until(lambda: advice in values_of(bench.diagnostics[-1])['message'])
    assert values_of(bench.diagnostics[-1])['level'] == DiagnosticStatus.WARN
    assert len([line for line in bench.process.warnings if advice in line]) == 1
