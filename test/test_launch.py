"""The launch files, run by launch: started processes, their parameters and topics."""

from importlib.util import find_spec
import os
from pathlib import Path
import subprocess
import sys

import cv2
import numpy as np
import pytest
from rosgraph_msgs.msg import Clock
from safetensors.torch import save_file
from sensor_msgs.msg import CameraInfo, Image

from flashdepth_ros.bags import BagWriter, build_message, header, stamp
from flashdepth_ros.network import create_model
from flashdepth_ros.ros.environment import PROFILES, TRANSPORTS
from support.installed_package import ROOT, build, environment
from support.launch_process import LAUNCHER, START_S, Listener, launched
from support.paths import STUBS

# Also for the launched processes, hence in the environment.
if find_spec('composition_interfaces') is None:
    sys.path.append(str(STUBS))
    paths = (os.environ.get('PYTHONPATH'), str(STUBS))
    os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, paths))
for package in ('colcon_ros', 'osrf_pycommon', 'launch', 'launch.actions', 'launch_ros.actions'):
    pytest.importorskip(
        package, reason=f'{package} is not installed; see CONTRIBUTING.md, "Launch files"'
    )

DEPTH_ARGUMENTS = {
    *('namespace', 'params_file', 'use_sim_time', 'log_level', 'autostart', 'rviz', 'rviz_frame'),
    *('cameras', 'input_image_topic', 'input_camera_info_topic', 'image_transport'),
    *('model', 'weights', 'device'),
    *('scale_depth_topic', 'scale_points_topic', 'scale_scan_topic', 'scale_camera_height'),
}
# RViz has no wheel: this program writes its arguments to a file and waits for Ctrl-C.
RVIZ = f"""#!{sys.executable}
import pathlib, signal, sys
pathlib.Path('ARGUMENTS').write_text('\\n'.join(sys.argv[1:]))
try:
    signal.pause()
except KeyboardInterrupt:
    pass
"""
STEP_NS = 10**8
START_NS = 50 * 10**9
FRAMES = 15


@pytest.fixture(scope='module')
def install(tmp_path_factory):
    return build(tmp_path_factory.mktemp('workspace'))


@pytest.fixture
def listener(ros_context):
    listener = Listener(ros_context)
    yield listener
    listener.node.destroy_node()


@pytest.mark.parametrize(
    ('file', 'own'),
    [
        ('depth.launch.py', set()),
        ('multi_camera.launch.py', {'input_image_topics'}),
        ('replay.launch.py', {'bag', 'rate', 'loop', 'wait', 'topics'}),
        ('demo.launch.py', {'kind', 'seed', 'rate', 'size'}),
    ],
)
def test_all_arguments_are_listed_and_described(file, own):
    from launch import LaunchContext
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(ROOT / 'launch' / file))
    arguments = source.get_launch_description(LaunchContext()).get_launch_arguments()
    assert {argument.name for argument in arguments} == DEPTH_ARGUMENTS | own
    assert all(argument.description != 'no description given' for argument in arguments)


def test_arguments_reach_the_node(install, listener, tmp_path):
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
    unset = dict.fromkeys((TRANSPORTS, *PROFILES), '')
    with launched(install, 'depth.launch.py', arguments, tmp_path, **unset) as launch:
        assert listener.parameters('/robot/flashdepth', expected, launch) == expected
        info = '/front/camera_info'
        listener.wait(lambda: info in listener.subscriptions('flashdepth', '/robot'), launch)
        command = launch.command_of('depth_node')
        assert 'image/compressed:=/front/image_raw/compressed' in command
        assert command[command.index('--log-level') + 1] == 'debug'
        variables = launch.environment_of('depth_node')
        assert variables[TRANSPORTS] == 'LARGE_DATA'
        profiles = [variables[name] for name in PROFILES if name in variables]
        assert [Path(each).name for each in profiles] == ['fastdds.xml']


@pytest.mark.parametrize(
    ('argument', 'parameters', 'rules'),
    [
        (
            'scale_depth_topic:=/rgbd/depth/image_raw',
            {'scale.source': 'depth'},
            [
                'scale/depth:=/rgbd/depth/image_raw',
                'scale/camera_info:=/rgbd/depth/camera_info',
            ],
        ),
        ('scale_scan_topic:=/scan', {'scale.source': 'points'}, ['scale/scan:=/scan']),
        (
            'scale_camera_height:=1',
            {'scale.source': 'height', 'scale.camera_height': 1.0},
            [],
        ),
    ],
)
def test_a_reference_of_the_scale_sets_its_source(
    install, listener, tmp_path, argument, parameters, rules
):
    arguments = ['autostart:=false', argument]
    with launched(install, 'depth.launch.py', arguments, tmp_path) as launch:
        assert listener.parameters('/flashdepth', parameters, launch) == parameters
        command = launch.command_of('depth_node')
        assert all(rule in command for rule in rules)
        assert 'without effect' not in launch.output()


def test_users_file_and_transport_are_used_without_arguments(install, listener, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**: {ros__parameters: {autostart: false, device: cpu, depth.max: 7.5}}')
    arguments = [f'params_file:={file}', 'device:=auto', 'input_camera_info_topic:=/info']
    expected = {'autostart': False, 'device': 'auto', 'depth.max': 7.5, 'use_sim_time': False}
    chosen = {TRANSPORTS: 'UDPv4'}
    with launched(install, 'depth.launch.py', arguments, tmp_path, **chosen) as launch:
        assert listener.parameters('/flashdepth', expected, launch) == expected
        listener.wait(lambda: '/info' in listener.subscriptions('flashdepth'), launch)
        variables = launch.environment_of('depth_node')
        assert variables[TRANSPORTS] == 'UDPv4'


def test_several_cameras_reach_the_node(install, listener, tmp_path):
    arguments = [
        'cameras:=front rear',
        'input_image_topics:=/front/color/image_raw /rear/image_raw',
        'autostart:=false',
    ]
    expected = {'cameras': ['front', 'rear'], 'autostart': False}
    with launched(install, 'multi_camera.launch.py', arguments, tmp_path) as launch:
        assert listener.parameters('/flashdepth', expected, launch) == expected
        infos = {'/front/color/camera_info', '/rear/camera_info'}
        listener.wait(lambda: infos <= listener.subscriptions('flashdepth'), launch)


@pytest.mark.parametrize('images', ['/front/image_raw', '/a /b /c'])
def test_other_number_of_topics_than_of_cameras_ends_the_launch(install, tmp_path, images):
    arguments = ['cameras:=front rear', f'input_image_topics:={images}']
    assert 'give one for each' in failed_launch(
        install, 'multi_camera.launch.py', arguments, tmp_path
    )


@pytest.fixture
def rviz(tmp_path):
    """Return an installed package rviz2: the file of its arguments, and its prefix."""
    prefix, arguments = tmp_path / 'rviz2', tmp_path / 'rviz_arguments'
    executable = prefix / 'lib' / 'rviz2' / 'rviz2'
    marker = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / 'rviz2'
    for file in (executable, marker):
        file.parent.mkdir(parents=True)
    marker.touch()
    executable.write_text(RVIZ.replace('ARGUMENTS', str(arguments)))
    executable.chmod(0o755)
    return arguments, prefix


@pytest.mark.parametrize(
    ('file', 'given', 'frame'),
    [
        ('depth.launch.py', [], None),
        ('depth.launch.py', ['rviz_frame:=base_link'], 'base_link'),
        ('replay.launch.py', ['rviz_frame:=base_link'], 'base_link'),
        ('demo.launch.py', ['size:=96x72'], None),
    ],
)
def test_rviz_frame_is_passed_to_rviz(install, listener, tmp_path, bag, rviz, file, given, frame):
    rviz_arguments, prefix = rviz
    if file == 'replay.launch.py':
        given = [*given, f'bag:={bag}']
    paths = os.pathsep.join((environment(install)['AMENT_PREFIX_PATH'], str(prefix)))
    arguments = ['rviz:=true', 'autostart:=false', *given]
    with launched(install, file, arguments, tmp_path, AMENT_PREFIX_PATH=paths) as launch:
        listener.wait(rviz_arguments.exists, launch)
        listener.wait(lambda: listener.subscriptions('flashdepth'), launch)
        used = rviz_arguments.read_text().split('\n')
    assert used[used.index('-d') + 1].endswith('config/depth.rviz')
    assert [used[index + 1] for index, each in enumerate(used) if each == '-f'] == (
        [] if frame is None else [frame]
    )


@pytest.fixture
def bag(tmp_path):
    """
    Compressed images and a clock of the simulator, which was one second ahead.

    ROS does not allow the name of the images, and image_transport would have another one.
    """
    data = cv2.imencode('.png', np.zeros((48, 64, 3), np.uint8))[1]
    with BagWriter(tmp_path / 'bag') as bag:
        for index in range(FRAMES):
            stamp_ns = START_NS + index * STEP_NS
            head = header(stamp_ns, 'camera')
            message = 'sensor_msgs/msg/CompressedImage'
            image = build_message(message, header=head, format='png', data=data)
            bag.write('/front camera/png', image, stamp_ns)
            clock = build_message('rosgraph_msgs/msg/Clock', clock=stamp(stamp_ns + 10**9))
            bag.write('/clock', clock, stamp_ns)
    return tmp_path / 'bag'


@pytest.fixture
def small_model(tmp_path):
    """Return arguments for a small network with random weights that need not be compiled."""
    model, weights, file = (
        'flashdepth-tiny-l',
        tmp_path / 'random.safetensors',
        tmp_path / 'p.yaml',
    )
    save_file(create_model(model).state_dict(), weights)
    file.write_text('/**: {ros__parameters: {engine: torch, device: cpu}}')
    return [f'model:={model}', f'weights:={weights}', f'params_file:={file}']


@pytest.fixture
def replay(bag, small_model):
    """Return arguments that play the bag for a small network with random weights."""
    return [f'bag:={bag}', 'rate:=0.5', *small_model]


def test_recording_is_replayed_from_the_beginning(install, listener, replay, tmp_path):
    depths, clocks = [], []
    listener.node.create_subscription(Image, 'depth/image', depths.append, 50)
    listener.node.create_subscription(Clock, '/clock', clocks.append, 50)
    with launched(install, 'replay.launch.py', replay, tmp_path) as launch:
        listener.wait(lambda: 'played' in launch.output() and len(depths) > 1, launch)
        name = ['use_sim_time']
        assert listener.parameters('/flashdepth', name, launch) == {'use_sim_time': True}
        assert '/front_camera/png/compressed' in listener.subscriptions('flashdepth')
        listener.wait(lambda: 'finished cleanly' in launch.output(), launch)
        assert f'played {FRAMES} messages' in launch.output()
        assert 'no subscriber' not in launch.output()
    stamps = [depth.header.stamp.sec * 10**9 + depth.header.stamp.nanosec for depth in depths]
    assert set(stamps) <= {START_NS + index * STEP_NS for index in range(FRAMES)}
    assert stamps[0] <= START_NS + 5 * STEP_NS
    assert clocks
    assert {clock.clock.sec for clock in clocks} <= {50, 51}


def test_missing_recording_ends_the_launch(install, replay, tmp_path):
    replay[0] = f'bag:={tmp_path / "missing"}'
    assert 'missing: no such bag' in failed_launch(install, 'replay.launch.py', replay, tmp_path)


def failed_launch(install, file, arguments, folder):
    """Run a launch file that is to end before it starts a process; return its error."""
    path = install / 'flashdepth_ros/share/flashdepth_ros/launch' / file
    run = subprocess.run(
        [sys.executable, '-c', LAUNCHER, path, *arguments],
        env=environment(install) | {'ROS_LOG_DIR': str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=START_S,
    )
    assert run.returncode == 1
    (line,) = [line for line in run.stdout.splitlines() if '[ERROR]' in line]
    assert 'Traceback' not in run.stdout
    assert 'process started' not in run.stdout
    return line


def test_demo_shows_the_depth_of_a_simulated_camera(install, listener, small_model, tmp_path):
    depths, infos = [], []
    listener.node.create_subscription(Image, '/robot/depth/image', depths.append, 2)
    listener.node.create_subscription(CameraInfo, '/robot/depth/camera_info', infos.append, 2)
    scene = ['kind:=mixed', 'seed:=28', 'size:=96x72', 'rate:=5', 'namespace:=robot']
    with launched(install, 'demo.launch.py', [*scene, *small_model], tmp_path) as launch:
        listener.wait(lambda: (depths and infos) or 'OpenGL' in launch.output(), launch)
        if 'OpenGL' in launch.output():
            pytest.skip('cannot render here')
        variables = launch.environment_of('flashdepth')
    assert (depths[0].width, depths[0].height) == (96, 72)
    assert depths[0].header.frame_id == 'camera_optical_frame'
    assert variables[TRANSPORTS]


def test_failed_camera_ends_the_demo(install, small_model, tmp_path):
    path = install / 'flashdepth_ros/share/flashdepth_ros/launch/demo.launch.py'
    run = subprocess.run(
        [sys.executable, '-c', LAUNCHER, path, 'size:=640', *small_model],
        env=environment(install) | {'ROS_LOG_DIR': str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=START_S,
    )
    assert "size '640'; write it as 640x480" in run.stdout
