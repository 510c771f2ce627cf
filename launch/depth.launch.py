"""
Start the depth node and, with `rviz:=true`, RViz.

An empty argument does not set its parameter: the value in `params_file` is used.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from flashdepth_ros.ros.environment import transport_environment

SHARE = FindPackageShare('flashdepth_ros')
BOOLEANS = ['', 'true', 'false']
STRING_PARAMETERS = ('image_transport', 'model', 'weights', 'device')
BOOLEAN_PARAMETERS = ('autostart', 'use_sim_time')
SCALE_SOURCES = {
    'scale_depth_topic': 'depth',
    'scale_points_topic': 'points',
    'scale_scan_topic': 'points',
    'scale_camera_height': 'height',
}


def generate_launch_description() -> LaunchDescription:
    """Return the description for `ros2 launch flashdepth_ros depth.launch.py`."""
    return LaunchDescription(
        [
            *_arguments(),
            OpaqueFunction(function=_choose_transport),
            OpaqueFunction(function=_nodes),
        ]
    )


def _arguments() -> list[DeclareLaunchArgument]:
    params_file = PathJoinSubstitution([SHARE, 'config', 'depth.yaml'])
    return [
        _argument('namespace', 'namespace of the node and its relative topics'),
        _argument('params_file', 'parameter file of the node', default_value=params_file),
        _argument('use_sim_time', 'use the time of /clock', choices=BOOLEANS),
        _argument('log_level', 'debug, info, warn or error; NAME:=LEVEL for one logger'),
        _argument(
            'cameras', 'names of several cameras, separated by spaces; empty: one without a name'
        ),
        _argument(
            'input_image_topic',
            'image topic of the camera, without /compressed at the end; of several cameras: their '
            'topics, in the same order, separated by spaces',
        ),
        _argument(
            'input_camera_info_topic',
            'camera_info topic of the camera; empty: camera_info in the namespace of '
            'input_image_topic, if that is given',
        ),
        _argument(
            'image_transport',
            'raw: subscribe to the image topic; compressed: to /compressed under it; auto: to '
            'what is published',
            choices=['', 'auto', 'raw', 'compressed'],
        ),
        _argument(
            'scale_depth_topic',
            'fit the scale to this depth topic of the same view (scale.source depth); its '
            'camera_info is next to it',
        ),
        _argument('scale_points_topic', 'fit the scale to this point cloud (scale.source points)'),
        _argument('scale_scan_topic', 'fit the scale to this laser scan (scale.source points)'),
        _argument(
            'scale_camera_height',
            'fit the scale to the ground, this far below the camera, m (scale.source height)',
        ),
        _argument('model', 'name of the model preset'),
        _argument('weights', '.pth, .safetensors or .onnx file'),
        _argument('device', 'device of the network: auto, cpu, cuda, cuda:N or intel_gpu'),
        _argument('autostart', 'configure and activate the node at start', choices=BOOLEANS),
        _argument('rviz', 'start RViz', default_value='false', choices=BOOLEANS[1:]),
        _argument(
            'rviz_frame',
            'fixed frame of RViz: the frame_id of the images or a tf frame; empty: the one of '
            'config/depth.rviz',
        ),
    ]


def _argument(
    name: str,
    description: str,
    default_value: str | PathJoinSubstitution = '',
    choices: list[str] | None = None,
) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(
        name, default_value=default_value, description=description, choices=choices
    )


def _choose_transport(context: LaunchContext) -> list[SetEnvironmentVariable]:
    """
    Set the DDS transport for large images, unless the user has set one.

    It applies to all processes that this launch starts afterwards: sender and receiver need it.
    """
    added = transport_environment(context.environment)
    return [SetEnvironmentVariable(name, value) for name, value in added.items()]


def _nodes(context: LaunchContext) -> list[Node]:
    given = {name: value for name, value in context.launch_configurations.items() if value}
    types = dict.fromkeys(STRING_PARAMETERS, str) | dict.fromkeys(BOOLEAN_PARAMETERS, bool)
    parameters = {
        name: ParameterValue(LaunchConfiguration(name), value_type=value_type)
        for name, value_type in types.items()
        if name in given
    } | _scale_parameters(given)
    if cameras := given.get('cameras', '').split():
        parameters['cameras'] = cameras
    # The node activates itself by its parameter `autostart`, because in Humble and Jazzy
    # LifecycleNode has no `autostart`. This class emits events for the node's transitions, so that
    # other actions can wait until the node is active.
    depth_node = LifecycleNode(
        package='flashdepth_ros',
        executable='depth_node',
        name='flashdepth',
        namespace=LaunchConfiguration('namespace'),
        parameters=[LaunchConfiguration('params_file'), parameters],
        remappings=_remappings(given),
        ros_arguments=['--log-level', given['log_level']] if 'log_level' in given else None,
        output='screen',
    )
    # RViz gets the node's namespace and remappings, because its configuration has relative topics.
    fixed_frame = ['-f', given['rviz_frame']] if 'rviz_frame' in given else []
    rviz = Node(
        package='rviz2',
        executable='rviz2',
        namespace=LaunchConfiguration('namespace'),
        arguments=['-d', PathJoinSubstitution([SHARE, 'config', 'depth.rviz']), *fixed_frame],
        parameters=[{name: parameters[name] for name in parameters if name == 'use_sim_time'}],
        remappings=_remappings(given),
        condition=IfCondition(LaunchConfiguration('rviz')),
    )
    return [depth_node, rviz]


def _scale_parameters(given: dict[str, str]) -> dict[str, str | float]:
    """Return the parameters for the reference of the scale that is given; none without one."""
    sources = sorted({source for name, source in SCALE_SOURCES.items() if name in given})
    if not sources:
        return {}
    if len(sources) > 1:
        raise RuntimeError(f'{" and ".join(sources)} cannot both give the scale: give one')
    parameters: dict[str, str | float] = {'scale.source': sources[0]}
    if 'scale_camera_height' in given:
        parameters['scale.camera_height'] = float(given['scale_camera_height'])
    return parameters


def _remappings(given: dict[str, str]) -> list[tuple[str, str]]:
    """Return the remappings of the inputs; by convention camera_info is next to the image."""
    rules = {}
    if cameras := given.get('cameras', '').split():
        return _remappings_of(cameras, given.get('input_image_topic', '').split())
    if image := given.get('input_image_topic'):
        rules['image'] = image
        rules['image/compressed'] = f'{image}/compressed'
        rules['camera_info'] = str(PurePosixPath(image).with_name('camera_info'))
    if camera_info := given.get('input_camera_info_topic'):
        rules['camera_info'] = camera_info
    if depth := given.get('scale_depth_topic'):
        rules['scale/depth'] = depth
        rules['scale/camera_info'] = str(PurePosixPath(depth).with_name('camera_info'))
    for name in ('points', 'scan'):
        if topic := given.get(f'scale_{name}_topic'):
            rules[f'scale/{name}'] = topic
    return list(rules.items())


def _remappings_of(cameras: list[str], images: list[str]) -> list[tuple[str, str]]:
    """Return those of several cameras; the node finds the camera_info beside each image."""
    if images and len(images) != len(cameras):
        raise RuntimeError(
            f'input_image_topic has {len(images)} topics for {len(cameras)} cameras: give one for '
            'each, in the same order'
        )
    return [(f'{camera}/image', image) for camera, image in zip(cameras, images, strict=False)]
