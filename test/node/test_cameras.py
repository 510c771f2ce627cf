"""Several cameras in one node: each as if it had a node of its own, with one model."""

from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from flashdepth_ros.runtime import DepthEstimator
from support.node_bench import STEP_NS, depth_of, random_image, stamp_of, start_bench, values_of
from support.node_process import NodeProcess, golden_weights

pytestmark = pytest.mark.needs_torch('an exported model has one shape of images')

PRESET = 'flashdepth-tiny-s'
SIZES = {'front': (120, 160), 'left': (120, 160), 'rear': (90, 160), 'right': (120, 160)}
START = {
    'front.depth.scale': 2.0,
    'right.depth.max': 50.0,
    'front.dept.scale': 3.0,
    'left.device': 'cpu',
}


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return golden_weights(tmp_path_factory.mktemp('weights'), PRESET)


class Camera:
    """What belongs to one camera in the test client."""

    def __init__(self, bench, name):
        self.name, self._bench = name, bench
        self.depth = bench.subscribe(f'/{name}/depth/image', Image)
        self.timing = bench.subscribe(f'/flashdepth/{name}/timing', DiagnosticArray)
        self.images = bench.create_publisher(f'/{name}/image')
        self._count = 0
        self.process_until_connected()

    def image(self, step_ns=STEP_NS):
        self._count += 1
        rgb = random_image(hash_of(self.name, self._count), SIZES[self.name])
        return self._bench.image(rgb, step_ns=step_ns)

    def process_until_connected(self):
        message = self.image()
        while not (self.depth and self.timing):
            message.header.stamp = stamp_of(self._bench.next_stamp())
            self.images.publish(message)
            self._bench.spin_for(0.3)

    def put(self, step_ns=STEP_NS):
        """Publish an image; return its message."""
        message = self.image(step_ns)
        self.images.publish(message)
        return message

    def process(self, message=None):
        """Return depth and timing of an image that was published, by default of a new one."""
        message = message or self.put()
        stamp = message.header.stamp

        def found(messages):
            return next((each for each in messages if each.header.stamp == stamp), None)

        self._bench.spin_until(lambda: found(self.depth) and found(self.timing))
        return depth_of(found(self.depth)), values_of(found(self.timing))

    def reset(self):
        client = self._bench.node.create_client(Trigger, f'/flashdepth/{self.name}/reset')
        self._bench.spin_until(client.service_is_ready)
        future = client.call_async(Trigger.Request())
        self._bench.spin_until(future.done)
        assert future.result().success


def hash_of(name, count):
    return 1000 * sum(map(ord, name)) + count


@pytest.fixture(scope='module', params=[False, True])
def bench(request, tmp_path_factory, weights):
    folder = tmp_path_factory.mktemp('cameras')
    options = {'model': PRESET, 'weights': weights, 'batching': request.param, **START}
    cameras = f'[{", ".join(SIZES)}]'
    with start_bench(folder, cameras=cameras, **options) as bench:
        bench.cameras = {name: Camera(bench, name) for name in SIZES}
        yield bench


@pytest.fixture(scope='module')
def cameras(bench):
    return bench.cameras


def statuses(bench):
    """Return the values of the next /diagnostics by the name of the status."""
    bench.diagnostics.clear()
    bench.spin_until(lambda: len(bench.diagnostics) > 1)
    return {
        status.name: {'level': status.level, 'message': status.message}
        | {pair.key: pair.value for pair in status.values}
        for status in bench.diagnostics[-1].status
    }


def dropped_bad(bench):
    return {name: int(each['dropped_bad']) for name, each in statuses(bench).items()}


def test_each_camera_gives_what_an_estimator_of_its_own_gives(bench, cameras, weights):
    bench.reset()
    estimators = {
        name: DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch', short_side=112)
        for name in SIZES
    }
    for index in range(4):
        # All at once, so that they wait for each other.
        messages = {name: camera.put() for name, camera in cameras.items()}
        for name, camera in cameras.items():
            depth, timing = camera.process(messages[name])
            rgb = np.frombuffer(messages[name].data, np.uint8).reshape(*SIZES[name], 3)
            frame = estimators[name].estimate(rgb, index * 30_000_000)
            expected = frame.depth * (2.0 if name == 'front' else 1.0)
            limit = 50.0 if name == 'right' else 100.0
            np.testing.assert_allclose(depth, np.where(expected > limit, np.inf, expected), 1e-4)
            assert timing['frames_since_reset'] == str(index)


def test_a_reset_of_one_camera_leaves_the_others_alone(bench, cameras):
    before = {name: camera.process()[1] for name, camera in cameras.items()}
    cameras['left'].reset()
    for name, camera in cameras.items():
        _, timing = camera.process()
        reset = name == 'left'
        assert timing['reset_reason'] == ('requested' if reset else '')
        expected = 0 if reset else int(before[name]['frames_since_reset']) + 1
        assert timing['frames_since_reset'] == str(expected)


def test_a_bad_image_or_a_new_publisher_of_one_camera_leaves_the_others_alone(bench, cameras):
    before = dropped_bad(bench)
    bad = cameras['front'].image()
    bad.encoding = 'yuv'
    cameras['front'].images.publish(bad)
    # A newer image would replace it if it still waited.
    for _ in range(20):
        if dropped_bad(bench) != before:
            break
    bench.node.destroy_publisher(cameras['rear'].images)
    cameras['rear'].images = bench.create_publisher('/rear/image')
    for name, camera in cameras.items():
        _, timing = camera.process()
        assert timing['reset_reason'] == ('publisher_restarted' if name == 'rear' else '')
    after = dropped_bad(bench)
    assert {name: after[name] - before[name] for name in after} == {
        f'/flashdepth/{name}: depth': int(name == 'front') for name in SIZES
    }


def test_parameters_of_one_camera_and_of_all(bench, cameras):
    for name, factor in (('front.depth.scale', 4.0), ('depth.scale', 3.0)):
        before = {each: values_at(bench, cameras[each]) for each in ('front', 'left')}
        assert not bench.set(**{name: factor})
        after = {each: values_at(bench, cameras[each]) for each in ('front', 'left')}
        changed = 'front' if name.startswith('front') else 'left'
        for each in before:
            ratio = np.median(after[each] / before[each])
            assert ratio == pytest.approx(
                (2.0 if changed == 'front' else 3.0) ** (each == changed)
            )
    (reason,) = bench.set(**{'left.image_transport': 'compressed'})
    assert 'unconfigured' in reason
    (reason,) = bench.set(cameras=['front'])
    assert 'cameras' in reason
    (reason,) = bench.set(**{'left.depth.min': 200.0})
    assert 'camera left' in reason
    assert not bench.set(**{'depth.scale': 1.0, 'front.depth.scale': 2.0})


def values_at(bench, camera):
    """Return the depth of the same image as the first of a sequence."""
    camera.reset()
    message = bench.image(random_image(7, SIZES[camera.name]))
    camera.images.publish(message)
    return camera.process(message)[0]


def test_a_silent_camera_is_reported_by_its_name(bench, cameras):
    def process_others():
        for name in ('front', 'left', 'right'):
            # However many images these are, the silence of the other one is short by its stamps.
            cameras[name].process(cameras[name].put(step_ns=10**6))
        found = statuses(bench)
        return 'no images' in found.pop('/flashdepth/rear: depth')['message'] and not [
            each for each in found.values() if 'no images' in each['message']
        ]

    for _ in range(60):
        if process_others():
            break
    else:
        pytest.fail(str(statuses(bench)))
    _, timing = cameras['rear'].process()
    assert timing['reset_reason'] == ''


def test_under_overload_every_camera_gets_its_share(bench, cameras):
    assert not bench.set(**{'depth.scale': 1.0})
    before = {name: int(each['processed']) for name, each in statuses(bench).items()}
    for turn in range(150):
        for name, camera in cameras.items():
            # One camera is three times as fast as the others.
            if name == 'front' or turn % 3 == 0:
                camera.put()
        bench.spin_for(0.005)
    after = statuses(bench)
    processed = [int(each['processed']) - before[name] for name, each in after.items()]
    assert all(int(each['dropped_stale']) for each in after.values()), after
    assert min(processed) >= 0.8 * np.mean(processed), processed


def test_misspelt_parameter_of_a_camera_is_reported_with_the_nearest(bench):
    shared, misspelt = [each for each in bench.process.warnings if 'without effect' in each]
    assert 'one value for all cameras: left.device (set device)' in shared
    assert 'do not exist: front.dept.scale (did you mean front.depth.scale?)' in misspelt
    (reason,) = bench.set(**{'front.dept.scale': 3.0})
    assert 'front.dept.scale (did you mean front.depth.scale?)' in reason
    (reason,) = bench.set(**{'qos_overrides./rosout.publisher.deepth': 3})
    assert 'do not exist: qos_overrides./rosout.publisher.deepth' in reason
    (reason,) = bench.set(**{'left.model': PRESET})
    assert 'one value for all cameras: left.model (set model)' in reason


def test_cameras_without_usable_names_end_the_process_with_one_line(tmp_path):
    with NodeProcess(tmp_path, cameras='[front, front]') as process:
        assert process.wait() == 1
        (line,) = process.lines
        assert '[ERROR]' in line or '[FATAL]' in line
        assert 'cameras' in line


def test_advice_names_the_topics_of_the_camera(tmp_path, weights):
    options = {'model': PRESET, 'weights': weights}
    with start_bench(tmp_path, cameras='[up, down]', **options) as bench:
        bench.node.create_publisher(Image, '/stereo/left/image_raw', 5)
        bench.subscribe('/down/depth/image', Image)
        bench.process.wait_for_line('[flashdepth.down]: no images on /down/image')
        (line,) = [each for each in bench.process.warnings if '/down/image' in each]
        assert '-r down/image:=/stereo/left/image_raw' in line
