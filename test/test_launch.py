"""The launch files run by launch itself: what is started, with which parameters and topics."""

from contextlib import contextmanager
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rosgraph_msgs.msg import Clock
from safetensors.torch import save_file
from sensor_msgs.msg import Image

from flashdepth_ros.bags import BagWriter, build_message, header
from flashdepth_ros.network import create_model
from support.installed_package import ROOT, build, environment

for package in ('colcon_ros', 'osrf_pycommon', 'launch', 'launch.actions', 'launch_ros.actions'):
    pytest.importorskip(package, reason=f'{package} is not installed; see .ci/launch_path')

DEPTH_ARGUMENTS = {
    *('namespace', 'params_file', 'use_sim_time', 'log_level', 'autostart', 'rviz'),
    *('input_image_topic', 'input_camera_info_topic', 'image_transport'),
    *('model', 'weights', 'device'),
}
# What `ros2 launch` does with a file and NAME:=VALUE.
LAUNCHER = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

arguments = [argument.split(':=', 1) for argument in sys.argv[2:]]
source = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""
STEP_NS = 10**8
START_NS = 50 * 10**9
FRAMES = 15
START_S = 60.0


@pytest.fixture(scope='module')
def install(tmp_path_factory):
    return build(tmp_path_factory.mktemp('workspace'))


@pytest.fixture
def listener(ros_context):
    listener = Listener(ros_context)
    yield listener
    listener.node.destroy_node()


class Listener:
    """Watches the graph from outside."""

    def __init__(self, context):
        self.node = Node('listener', context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)

    def wait(self, until, launched):
        end = time.monotonic() + START_S
        while not until():
            assert launched.poll() is None, launched.output()
            assert time.monotonic() < end, launched.output()
            self.executor.spin_once(timeout_sec=0.05)

    def subscriptions(self, name, namespace='/'):
        if (name, namespace) not in self.node.get_node_names_and_namespaces():
            return set()
        topics = self.node.get_subscriber_names_and_types_by_node(name, namespace)
        return {topic for topic, _ in topics}

    def parameters(self, node_name, names, launched):
        client = self.node.create_client(GetParameters, f'{node_name}/get_parameters')
        self.wait(client.service_is_ready, launched)
        future = client.call_async(GetParameters.Request(names=list(names)))
        self.wait(future.done, launched)
        return {
            name: parameter_value_to_python(value)
            for name, value in zip(names, future.result().values, strict=True)
        }


class Launched(subprocess.Popen):
    """A launch and its log."""

    log: Path

    def output(self):
        return self.log.read_text()

    def child(self, executable):
        """Return the /proc folder of the process that runs an executable."""
        found = subprocess.check_output(['pgrep', '-n', '-s', str(self.pid), '-f', executable])
        return Path('/proc', found.decode().strip())

    def environment_of(self, executable):
        entries = (self.child(executable) / 'environ').read_text().split('\0')
        return dict(entry.split('=', 1) for entry in entries if '=' in entry)

    def command_of(self, executable):
        return (self.child(executable) / 'cmdline').read_text().split('\0')


@contextmanager
def launched(install, file, arguments, folder, **variables):
    """Launch a file as installed; at the end press Ctrl-C and expect all to end well."""
    path = install / 'flashdepth_ros/share/flashdepth_ros/launch' / file
    log = folder / 'launch.log'
    known = environment(install) | {'ROS_LOG_DIR': str(folder)} | variables
    with log.open('wb') as output:
        process = Launched(
            [sys.executable, '-c', LAUNCHER, path, *arguments],
            env={name: value for name, value in known.items() if value},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process.log = log
    try:
        yield process
        # As a terminal does; launch counts on its children hearing it too.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(10) == 0, process.output()
        assert 'escalating' not in process.output(), process.output()
        assert 'has died' not in process.output()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize(
    ('file', 'own'),
    [('depth.launch.py', set()), ('replay.launch.py', {'bag', 'rate', 'loop', 'wait'})],
)
def test_every_argument_is_listed_and_described(file, own):
    from launch import LaunchContext
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(ROOT / 'launch' / file))
    arguments = source.get_launch_description(LaunchContext()).get_launch_arguments()
    assert {argument.name for argument in arguments} == DEPTH_ARGUMENTS | own
    assert all(argument.description != 'no description given' for argument in arguments)


def test_what_is_given_reaches_the_node(install, listener, tmp_path):
    arguments = [
        'namespace:=robot',
        'input_image_topic:=/front/image_raw',
        'image_transport:=compressed',
        'weights:=123',
        'device:=cpu',
        'autostart:=false',
        'use_sim_time:=true',
        'log_level:=debug',
    ]
    expected = {
        'image_transport': 'compressed',
        'weights': '123',
        'device': 'cpu',
        'autostart': False,
        'use_sim_time': True,
        'depth.max': 100.0,
    }
    unset = {'FASTDDS_BUILTIN_TRANSPORTS': ''}
    with launched(install, 'depth.launch.py', arguments, tmp_path, **unset) as launch:
        assert listener.parameters('/robot/flashdepth', expected, launch) == expected
        info = '/front/camera_info'
        listener.wait(lambda: info in listener.subscriptions('flashdepth', '/robot'), launch)
        command = launch.command_of('depth_node')
        assert 'image/compressed:=/front/image_raw/compressed' in command
        assert command[command.index('--log-level') + 1] == 'debug'
        known = launch.environment_of('depth_node')
        assert known['FASTDDS_BUILTIN_TRANSPORTS'] == 'LARGE_DATA'


def test_the_users_file_and_transport_win_where_nothing_is_given(install, listener, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**: {ros__parameters: {autostart: false, device: cpu, depth.max: 7.5}}')
    arguments = [f'params_file:={file}', 'device:=auto', 'input_camera_info_topic:=/info']
    expected = {'autostart': False, 'device': 'auto', 'depth.max': 7.5, 'use_sim_time': False}
    chosen = {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}
    with launched(install, 'depth.launch.py', arguments, tmp_path, **chosen) as launch:
        assert listener.parameters('/flashdepth', expected, launch) == expected
        listener.wait(lambda: '/info' in listener.subscriptions('flashdepth'), launch)
        known = launch.environment_of('depth_node')
        assert known['FASTDDS_BUILTIN_TRANSPORTS'] == 'UDPv4'


@pytest.fixture
def bag(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        for index in range(FRAMES):
            stamp_ns = START_NS + index * STEP_NS
            image = build_message(
                'sensor_msgs/msg/Image',
                header=header(stamp_ns, 'camera'),
                height=48,
                width=64,
                encoding='rgb8',
                step=64 * 3,
                data=[index * 10] * (64 * 48 * 3),
            )
            bag.write('/front/image_raw', image, stamp_ns)
    return tmp_path / 'bag'


@pytest.fixture
def replay(bag, tmp_path):
    """The arguments that play the bag to a small network with random weights."""
    model = 'flashdepth-tiny-l'
    save_file(create_model(model).state_dict(), tmp_path / 'random.safetensors')
    return [
        f'bag:={bag}',
        'rate:=0.5',
        'input_image_topic:=/front/image_raw',
        f'model:={model}',
        f'weights:={tmp_path / "random.safetensors"}',
        'device:=cpu',
    ]


def test_a_recording_is_replayed_from_its_beginning(install, listener, replay, tmp_path):
    depths, clocks = [], []
    listener.node.create_subscription(Image, 'depth/image', depths.append, 50)
    listener.node.create_subscription(Clock, '/clock', clocks.append, 50)
    with launched(install, 'replay.launch.py', replay, tmp_path) as launch:
        listener.wait(lambda: 'played' in launch.output() and len(depths) > 1, launch)
        name = ['use_sim_time']
        assert listener.parameters('/flashdepth', name, launch) == {'use_sim_time': True}
        assert '/front/image_raw' in listener.subscriptions('flashdepth')
        listener.wait(lambda: 'finished cleanly' in launch.output(), launch)
    stamps = [depth.header.stamp.sec * 10**9 + depth.header.stamp.nanosec for depth in depths]
    assert set(stamps) <= {START_NS + index * STEP_NS for index in range(FRAMES)}
    assert stamps[0] <= START_NS + 5 * STEP_NS
    assert clocks
    assert {clock.clock.sec for clock in clocks} <= {50, 51}


def test_a_recording_that_cannot_be_played_ends_the_launch(install, replay, tmp_path):
    replay[0] = f'bag:={tmp_path / "missing"}'
    path = install / 'flashdepth_ros/share/flashdepth_ros/launch/replay.launch.py'
    run = subprocess.run(
        [sys.executable, '-c', LAUNCHER, path, *replay],
        env=environment(install) | {'ROS_LOG_DIR': str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert 'missing' in run.stdout
    assert '[player-2]: process has died' in run.stdout
    assert '[depth_node-1]: process has finished cleanly' in run.stdout
