"""The launch files, run by launch: started processes, their parameters and topics."""

from pathlib import Path

import pytest

from flashdepth_ros.ros.environment import PROFILES, TRANSPORTS
from support.installed_package import ROOT
from support.launch_process import (
    failed_launch,
    launched,
    skip_without_launch,
)

skip_without_launch()
DEPTH_ARGUMENTS = {
    *('namespace', 'params_file', 'use_sim_time', 'log_level', 'autostart', 'rviz', 'rviz_frame'),
    *('cameras', 'input_image_topic', 'input_camera_info_topic', 'image_transport'),
    *('model', 'weights', 'device'),
    *('scale_depth_topic', 'scale_points_topic', 'scale_scan_topic', 'scale_camera_height'),
}


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
