"""Launch files with more than the node: RViz, a recording, a simulated camera."""

import os
import sys

import cv2
import numpy as np
import pytest
from rosgraph_msgs.msg import Clock
from safetensors.torch import save_file
from sensor_msgs.msg import CameraInfo, Image

from flashdepth_ros.bags import BagWriter, build_message, header, stamp
from flashdepth_ros.network import create_model
from flashdepth_ros.ros.environment import TRANSPORTS
from support.installed_package import environment
from support.launch_process import (
    failed_launch,
    launched,
    run_launch,
    skip_without_launch,
)

skip_without_launch()
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
    run = run_launch(install, 'demo.launch.py', ['size:=640', *small_model], tmp_path)
    assert "size '640'; write it as 640x480" in run.stdout
