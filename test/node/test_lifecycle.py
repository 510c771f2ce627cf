"""The lifecycle of the node: transitions, parameter changes, failures and exit status."""

import re
import signal

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import SetBool

from flashdepth_ros.network import PRESETS
from support.node_bench import pixels_of, random_image, start_bench, values_of
from support.node_process import NodeProcess, golden_weights

pytestmark = pytest.mark.needs_torch('the node changes between two presets')

CONFIGURE = Transition.TRANSITION_CONFIGURE
ACTIVATE = Transition.TRANSITION_ACTIVATE
DEACTIVATE = Transition.TRANSITION_DEACTIVATE
CLEANUP = Transition.TRANSITION_CLEANUP
RGB = random_image(2)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp('weights')
    presets = ('flashdepth-tiny-s', 'flashdepth-tiny-l')
    return {preset: str(golden_weights(folder, preset)) for preset in presets}


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    """An unconfigured node whose weights file does not exist."""
    folder = tmp_path_factory.mktemp('lifecycle')
    static = {'model': 'flashdepth-tiny-s', 'weights': '/nowhere/weights.pth', 'autostart': False}
    with start_bench(folder, ready=None, **static) as bench:
        bench.depth = bench.subscribe('/depth/image', Image)
        yield bench


def test_failed_configure_leaves_the_node_unconfigured(bench, weights):
    assert bench.state == 'unconfigured'
    before = len(bench.process.lines)
    assert bench.change_state(CONFIGURE) == [False]
    assert bench.state == 'unconfigured'
    assert not bench.call('reset').success
    # Weights of another model.
    assert not bench.set(weights=weights['flashdepth-tiny-l'])
    assert bench.change_state(CONFIGURE) == [False]
    errors = [line for line in bench.process.lines if '[ERROR]' in line]
    assert ['/nowhere/weights.pth' in line for line in errors] == [True, False]
    assert weights['flashdepth-tiny-l'] in errors[1]
    assert len(bench.process.lines) == before + 2


@pytest.mark.parametrize(
    'transition',
    [
        Transition(id=ACTIVATE),
        Transition(id=DEACTIVATE),
        Transition(id=CLEANUP),
        Transition(id=Transition.TRANSITION_ACTIVE_SHUTDOWN),
        Transition(id=99),
        Transition(label='activate'),
        Transition(label='fly'),
    ],
    ids=lambda transition: transition.label or str(transition.id),
)
def test_illegal_transition_is_refused_while_unconfigured(bench, transition):
    assert_refused(bench, transition, 'unconfigured', 'configure, shutdown')


def assert_refused(bench, transition, state, possible):
    before = len(bench.process.lines)
    request = ChangeState.Request(transition=transition)
    assert not bench.call('change_state', request).success
    assert bench.state == state
    (line,) = bench.process.lines[before:]
    assert '[WARN]' in line
    assert f'the node is {state}, possible are now {possible}' in line


def test_all_transitions_with_different_models(bench, weights):
    depths = []
    for preset in ('flashdepth-tiny-s', 'flashdepth-tiny-l', 'flashdepth-tiny-s'):
        assert not bench.set(model=preset, weights=weights[preset])
        assert bench.change_state(CONFIGURE) == [True]
        assert bench.state == 'inactive'
        assert bench.change_state(ACTIVATE, DEACTIVATE, ACTIVATE) == [True, True, True]
        camera = bench.create_publisher()
        bench.depth.clear()
        bench.timing.clear()
        bench.connect(camera, bench.image(RGB), bench.depth)
        assert values_of(bench.timing[0])['reset_reason'] == 'first_frame'
        bench.reset()
        depths.append(pixels_of(bench.round_trip(camera, bench.image(RGB), bench.depth)))
        assert bench.summary()['model'] == preset
        bench.node.destroy_publisher(camera)
        assert bench.change_state(DEACTIVATE, CLEANUP) == [True, True]
    np.testing.assert_array_equal(depths[0], depths[2])
    assert np.abs(depths[0] - depths[1]).max() > 1e-3


def test_static_parameters_are_refused_while_configured_and_dynamic_ones_apply(bench):
    assert not bench.set(**{'depth.encoding': '16UC1'})
    assert bench.change_state(CONFIGURE, ACTIVATE) == [True, True]
    for name, value in {'model': 'flashdepth-tiny-l', 'depth.size': 'inference'}.items():
        (reason,) = bench.set(**{name: value})
        assert name in reason
        assert 'unconfigured' in reason
    bench.images = bench.create_publisher()
    bench.connect(bench.images, bench.image(RGB), bench.depth)
    far = millimetres(bench)
    limit = int(np.median(far))
    assert not bench.set(**{'depth.max': (limit + 0.5) / 1000})
    near = millimetres(bench)
    # Rounding to millimetres can move a pixel at the limit to either side.
    clear = np.abs(far.astype(int) - limit) > 1
    np.testing.assert_array_equal(near[clear], np.where(far <= limit, far, 0)[clear])
    assert 0.1 < (near == 0).mean() < 0.9
    assert not bench.set(**{'depth.max': 100.0, 'depth.scale': 2})
    np.testing.assert_allclose(millimetres(bench), 2.0 * far, rtol=0, atol=1)


@pytest.mark.parametrize(
    'transition',
    [
        Transition(id=CONFIGURE),
        Transition(id=ACTIVATE),
        Transition(id=CLEANUP),
        Transition(label='configure'),
    ],
    ids=lambda transition: transition.label or str(transition.id),
)
def test_illegal_transition_is_refused_while_active(bench, transition):
    assert_refused(bench, transition, 'active', 'deactivate, shutdown')
    bench.process_all(bench.images, [bench.image(RGB)])


def test_of_concurrent_requests_one_is_met(bench):
    for transition, state in ((DEACTIVATE, 'inactive'), (ACTIVATE, 'active')):
        assert sorted(bench.change_state_at_once(transition, count=4)) == [False] * 3 + [True]
        assert bench.state == state
    (timing,) = bench.process_all(bench.images, [bench.image(RGB)])
    # The pause was short.
    assert timing['reset_reason'] == ''


@pytest.mark.parametrize('restarted', [False, True])
def test_a_short_pause_keeps_the_state_of_the_same_publisher(bench, restarted):
    (before,) = bench.process_all(bench.images, [bench.image(RGB)])
    assert bench.change_state(DEACTIVATE) == [True]
    if restarted:
        bench.node.destroy_publisher(bench.images)
        bench.images = bench.create_publisher()
        bench.images.publish(bench.image(RGB))
        bench.spin_for(0.3)
    assert bench.change_state(ACTIVATE) == [True]
    (after,) = bench.process_all(bench.images, [bench.image(RGB)])
    if restarted:
        assert after['reset_reason'] == 'publisher_restarted'
    else:
        assert int(after['frames_since_reset']) == int(before['frames_since_reset']) + 1


def test_a_long_pause_starts_a_new_sequence(bench):
    assert not bench.set(**{'reset.max_gap': 0.2})
    assert bench.change_state(DEACTIVATE) == [True]
    bench.spin_for(0.3)
    assert bench.change_state(ACTIVATE) == [True]
    (timing,) = bench.process_all(bench.images, [bench.image(RGB)])
    assert timing['reset_reason'] == 'first_frame'
    assert not bench.set(**{'reset.max_gap': 2.0})


def millimetres(bench):
    """Return the depth of the test image as the first of a sequence, mm."""
    bench.reset()
    message = bench.round_trip(bench.images, bench.image(RGB), bench.depth)
    assert message.encoding == '16UC1'
    return pixels_of(message, np.uint16)[..., 0]


@pytest.mark.parametrize(
    ('name', 'value', 'allowed'),
    [
        ('depth.scale', 0.0, 'Min: 1e-06, Max: 1000000.0'),
        ('depth.scale', float('nan'), 'Min: 1e-06, Max: 1000000.0'),
        ('depth.scale', 'double', 'float'),
        ('depth.min', 150.0, 'depth.max 100.0'),
        ('points.stride', 0, 'Min: 1, Max: 64'),
        ('points.stride', 2.5, 'INTEGER'),
        ('points.color', 'yes', 'BOOL'),
        ('color.max', 0.1, 'color.min 0.5'),
        ('max_frame_age', -1.0, 'Min: 0.0, Max: 1000000.0'),
    ],
)
def test_bad_value_is_refused_with_the_allowed_values(bench, name, value, allowed):
    before = millimetres(bench)
    (reason,) = bench.set(**{name: value})
    assert allowed in reason
    np.testing.assert_array_equal(millimetres(bench), before)


def test_old_frames_are_stale(bench):
    assert not bench.set(max_frame_age=5.0)
    before = bench.summary()
    bench.images.publish(bench.image(RGB))
    bench.wait_for(dropped_stale=str(int(before['dropped_stale']) + 1))
    assert not bench.set(max_frame_age=0.0)


def test_images_are_ignored_while_disabled(bench):
    assert bench.call('enable', SetBool.Request(data=False)).success
    before = bench.wait_for(message='disabled')
    bench.images.publish(bench.image(RGB))
    after = bench.wait_for(unwanted=str(int(before['unwanted']) + 1))
    assert after['processed'] == before['processed']
    assert bench.call('enable', SetBool.Request(data=True)).success
    (timing,) = bench.process_all(bench.images, [bench.image(RGB)])
    assert timing['reset_reason'] == ''


def test_shutdown_transition_ends_the_process(bench):
    assert bench.change_state(Transition.TRANSITION_ACTIVE_SHUTDOWN) == [True]
    assert bench.process.wait(2.0) == 0


@pytest.mark.parametrize(
    ('parameters', 'text'),
    [
        ({'weights': '/nowhere/weights.pth'}, '/nowhere/weights.pth'),
        ({'model': 'flashdepth-giant'}, 'flashdepth-tiny'),
    ],
)
def test_failed_configure_under_autostart_ends_the_process(tmp_path, parameters, text):
    with NodeProcess(tmp_path, **parameters) as process:
        assert process.wait() == 1
        (line,) = process.lines
    assert '[ERROR]' in line
    assert text in line


def test_sigterm_ends_the_process(tmp_path, weights):
    preset = 'flashdepth-tiny-s'
    with NodeProcess(tmp_path, model=preset, weights=weights[preset]) as process:
        process.wait_for_line('configured')
        assert process.stop(signal.SIGTERM) == 0
        (line,) = process.lines
    assert '[INFO]' in line


@pytest.mark.parametrize('own_weights', [False, True])
def test_first_line_gives_the_purpose_of_the_presets_weights(tmp_path, weights, own_weights):
    preset = 'flashdepth-tiny-s' if own_weights else 'flashdepth-tiny'
    parameters = {'weights': weights[preset]} if own_weights else {}
    with NodeProcess(tmp_path, model=preset, **parameters) as process:
        process.wait_for_line('configured')
        (line,) = process.lines
    purpose = '' if own_weights else f' ({PRESETS[preset].purpose})'
    assert f'configured: {preset}{purpose}, torch on cpu in fp32, about ' in line
    rate = re.search(r'about ([\d.]+) images/s of 640x480 \(network input 154x112\)', line)[1]
    assert float(rate) > 0
    assert 'images from /image, ' in line
    assert PRESETS[preset].purpose


def test_the_warm_up_has_the_size_of_a_known_camera(tmp_path, weights):
    """The first images of a size take longer, above all on a GPU."""
    preset = 'flashdepth-tiny-s'
    static = {'model': preset, 'weights': weights[preset], 'autostart': False}
    with start_bench(tmp_path, ready=None, **static) as bench:
        camera = bench.create_publisher('/camera_info', CameraInfo)
        bench.spin_until(camera.get_subscription_count)
        info = CameraInfo(width=320, height=180)
        info.k = [300.0, 0.0, 160.0, 0.0, 300.0, 90.0, 0.0, 0.0, 1.0]
        for _ in range(5):
            camera.publish(info)
            bench.spin_for(0.1)
        assert bench.change_state(CONFIGURE) == [True]
        bench.process.wait_for_line('images/s of 320x180 (network input ')
