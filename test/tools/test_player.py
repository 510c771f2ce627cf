"""The bag player as a separate process, received over DDS."""

from itertools import pairwise
import signal
import subprocess
import sys
import time

from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from flashdepth_ros.bags import BagWriter, build_message, header, stamp
from flashdepth_ros.interruption import INTERRUPTED_STATUS
from flashdepth_ros.tools.message_types import message_class
from support.paths import ROOT

STEP_NS = 20_000_000
START_NS = 50 * 10**9
FRAMES = 20
IMAGES = ('/device 0/image', '/camera/image')


@pytest.fixture
def bag(tmp_path):
    """Twenty small images within 0.38 s, and a topic whose message package is not installed."""
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write('/pose', build_message('tf2_msgs/msg/TFMessage', transforms=[]), START_NS)
        for index in range(FRAMES):
            stamp_ns = START_NS + index * STEP_NS
            image = build_message(
                'sensor_msgs/msg/Image',
                header=header(stamp_ns, 'camera'),
                height=1,
                width=2,
                encoding='rgb8',
                step=6,
                data=[index] * 6,
            )
            bag.write('/camera/image', image, stamp_ns)
    return tmp_path / 'bag'


class Listener:
    """A node that subscribes to images and the clock."""

    def __init__(self, context):
        self.node = Node('listener', context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.images, self.arrivals, self.clocks = [], [], []
        qos = qos_profile_sensor_data
        self.node.create_subscription(Image, '/camera/image', self.on_image, 50)
        self.node.create_subscription(Image, '/renamed', self.on_image, qos)
        self.node.create_subscription(Clock, '/clock', self.clocks.append, 50)

    def on_image(self, image):
        self.images.append(image)
        self.arrivals.append(time.monotonic())

    def spin_until(self, condition, timeout_s=15.0):
        end = time.monotonic() + timeout_s
        while not condition() and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)
        assert condition(), f'{len(self.images)} images, {len(self.clocks)} clocks'

    @property
    def stamps(self):
        return [nanoseconds(image.header.stamp) for image in self.images]


def nanoseconds(stamp):
    return stamp.sec * 10**9 + stamp.nanosec


@pytest.fixture
def listener(ros_context):
    listener = Listener(ros_context)
    yield listener
    listener.executor.shutdown()
    listener.node.destroy_node()


@pytest.fixture
def player():
    """Start `flashdepth play` with these arguments; kill it after the test."""
    processes = []

    def start(*arguments):
        command = [sys.executable, '-m', 'flashdepth_ros.cli', 'play', *map(str, arguments)]
        processes.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_all_images_arrive_in_order_and_with_their_timing(bag, listener, player):
    process = player(bag, '--wait', '10', '--rate', '0.5')
    listener.spin_until(lambda: len(listener.images) == FRAMES)
    assert listener.stamps == [START_NS + index * STEP_NS for index in range(FRAMES)]
    assert [image.data[0] for image in listener.images] == list(range(FRAMES))
    assert {image.header.frame_id for image in listener.images} == {'camera'}
    assert listener.arrivals[-1] - listener.arrivals[0] > 0.8 * (FRAMES - 1) * 2 * STEP_NS * 1e-9
    assert process.wait(10) == 0
    log = process.stderr.read()
    assert 'not installed: /pose (tf2_msgs/msg/TFMessage)' in log
    assert f'played {FRAMES} messages' in log


def test_nothing_is_played_before_a_node_is_active(bag, listener, player):
    states = [State.PRIMARY_STATE_INACTIVE] * 3

    def answer(_, response):
        state = states.pop() if states else State.PRIMARY_STATE_ACTIVE
        response.current_state = State(id=state)
        assert not listener.images
        return response

    process = player(bag, '--wait-active', '/robot/depth')
    time.sleep(1.0)
    assert not listener.images
    listener.node.create_service(GetState, '/robot/depth/get_state', answer)
    listener.spin_until(lambda: process.poll() is not None)
    assert not states
    assert f'played {FRAMES} messages' in process.stderr.read()


def test_loop_repeats_stamps_and_clock_until_ctrl_c(bag, listener, player):
    options = ('--loop', '--clock', '--rate', '2', '--wait', '10')
    process = player(bag, *options, '--topics', 'camera/image')
    listener.spin_until(
        lambda: START_NS in listener.stamps[1:] and len(listener.images) > FRAMES + 5
    )
    once = [START_NS + index * STEP_NS for index in range(FRAMES)]
    assert listener.stamps == (once * 9)[: len(listener.images)]
    times = [nanoseconds(message.clock) for message in listener.clocks]
    assert min(times) >= START_NS
    assert any(after < before for before, after in pairwise(times))
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == INTERRUPTED_STATUS
    assert 'Traceback' not in process.stderr.read()


def test_clock_is_published_between_messages(bag, listener, player):
    player(bag, '--clock', '--rate', '0.1', '--wait', '10')
    listener.spin_until(lambda: len(listener.clocks) > 12)
    assert len(listener.clocks) > 3 * len(listener.images)
    times = [nanoseconds(message.clock) for message in listener.clocks]
    assert times == sorted(times)


def test_one_clock_is_published_and_what_ros_does_not_allow_is_left_out(
    listener, tmp_path, player
):
    with BagWriter(tmp_path / 'bag') as bag:
        for index in range(FRAMES):
            stamp_ns = START_NS + index * STEP_NS
            # The simulator's clock was ten seconds ahead of the recorder's.
            clock = build_message('rosgraph_msgs/msg/Clock', clock=stamp(stamp_ns + 10**10))
            bag.write('/clock', clock, stamp_ns)
            image = build_message('sensor_msgs/msg/Image', header=header(stamp_ns, 'camera'))
            for topic in ('/device 0/image', '/camera/image', '/1/image', '/white balance'):
                bag.write(topic, image, stamp_ns)
        bag.write('/camera/image', build_message('std_msgs/msg/String', data='text'), START_NS)
    rules = ('--remap', '/device 0/image:=/renamed')
    # Slowly, because one of the subscriptions is best-effort.
    options = ('--clock', '--rate', '0.25', '--wait', '10', '--wait-for')
    process = player(tmp_path / 'bag', *options, *IMAGES, *rules)
    listener.spin_until(lambda: len(listener.images) == 2 * FRAMES)
    assert process.wait(10) == 0
    log = process.stderr.read()
    lines = [
        line.partition('not played, ')[2] for line in log.splitlines() if 'not played' in line
    ]
    assert sorted(line.rpartition(': ')[2] for line in lines) == [
        '/1/image (sensor_msgs/msg/Image), /white balance (sensor_msgs/msg/Image)',
        '/camera/image (std_msgs/msg/String)',
        '/clock (rosgraph_msgs/msg/Clock)',
    ]
    assert 'no subscriber' not in log
    assert f'played {2 * FRAMES} messages' in log
    times = [nanoseconds(message.clock) for message in listener.clocks]
    assert times == sorted(times)
    assert START_NS <= min(times) <= max(times) <= START_NS + FRAMES * STEP_NS


def test_a_recorded_clock_is_played_without_clock_option(listener, tmp_path, player):
    with BagWriter(tmp_path / 'bag') as bag:
        for index in range(FRAMES):
            clock = build_message('rosgraph_msgs/msg/Clock', clock=stamp(index))
            bag.write('/clock', clock, START_NS + index * STEP_NS)
    player(tmp_path / 'bag', '--wait', '10')
    listener.spin_until(lambda: len(listener.clocks) == FRAMES)
    assert [nanoseconds(message.clock) for message in listener.clocks] == list(range(FRAMES))


@pytest.mark.parametrize(
    'name',
    [
        *('', 'Image', '/msg/', 'os', 'os/msg/path', 'sensor_msgs/Image', 'none_msgs/msg/Image'),
        *('sensor_msgs/msg/None', 'sensor_msgs/srv/SetCameraInfo', 'sensor_msgs/msg/_image'),
    ],
)
def test_types_without_a_class_have_none(name):
    assert message_class(name) is None


def test_the_class_of_a_type_is_found():
    assert message_class('sensor_msgs/msg/Image') is Image


def test_remapped_topic_is_published_best_effort(bag, listener, player):
    player(bag, '--loop', '--best-effort', '--wait', '10', '--remap', '/camera/image:=/renamed')
    listener.spin_until(lambda: len(listener.images) > FRAMES)
    (info,) = listener.node.get_publishers_info_by_topic('/renamed')
    assert info.qos_profile.reliability == qos_profile_sensor_data.reliability


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['absent'], 'absent: no such bag'),
        (['{bag}', '--topics', '/other'], "no topic '/other'; the bag has /pose"),
        (['{bag}', '--topics', '/pose'], 'no topic can be played'),
        (['{bag}', '--rate', '0'], 'rate 0.0 is not possible'),
        (['{bag}', '--remap', '/other'], "remap '/other' is not a remap rule"),
        (['{bag}', '--remap', '/other:=/new'], "no topic '/other'; the bag has /pose"),
        (['{bag}', '--remap', '/camera/image:=/a b'], 'ROS does not allow this new name'),
    ],
)
def test_invalid_arguments_exit_with_status_1(bag, player, arguments, message):
    process = player(*(argument.format(bag=bag) for argument in arguments))
    assert process.wait(20) == 1
    log = process.stderr.read()
    assert message in log
    assert 'Traceback' not in log
