"""
Start the depth node, and RViz if asked.

An argument left empty leaves its parameter to `params_file`, so that a default has one home.
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


def generate_launch_description() -> LaunchDescription:
    """Return what `ros2 launch flashdepth_ros depth.launch.py` runs."""
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
        _argument('namespace', 'of the node and of its relative topics'),
        _argument('params_file', 'parameters of the node', default_value=params_file),
        _argument('use_sim_time', 'take the time from /clock', choices=BOOLEANS),
        _argument('log_level', 'debug, info, warn, error; or NAME:=LEVEL for one logger'),
        _argument('input_image_topic', 'instead of image; without /compressed at its end'),
        _argument(
            'input_camera_info_topic',
            'instead of camera_info; empty: camera_info beside input_image_topic, if given',
        ),
        _argument(
            'image_transport',
            'compressed reads /compressed under the image topic',
            choices=['', 'raw', 'compressed'],
        ),
        _argument('model', 'the network, by the name of a preset'),
        _argument('weights', 'a .pth or .safetensors file'),
        _argument('device', 'auto, cpu, cuda or cuda:N'),
        _argument('autostart', 'the node configures and activates itself', choices=BOOLEANS),
        _argument('rviz', 'show the results', default_value='false', choices=BOOLEANS[1:]),
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
    Let large images through, unless the user has set the transport.

    It holds for whatever this launch starts afterwards: sender and receiver both need it.
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
    }
    # The managed node starts itself, by its parameter `autostart`: LifecycleNode's own `autostart`
    # is missing in Humble and Jazzy. What this class adds is that launch learns of the node's
    # transitions, so that others can wait until it is active.
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
    # RViz lives in the node's namespace with the node's remappings, so that the relative topics of
    # its configuration are those of the node.
    rviz = Node(
        package='rviz2',
        executable='rviz2',
        namespace=LaunchConfiguration('namespace'),
        arguments=['-d', PathJoinSubstitution([SHARE, 'config', 'depth.rviz'])],
        parameters=[{name: parameters[name] for name in parameters if name == 'use_sim_time'}],
        remappings=_remappings(given),
        condition=IfCondition(LaunchConfiguration('rviz')),
    )
    return [depth_node, rviz]


def _remappings(given: dict[str, str]) -> list[tuple[str, str]]:
    """Return the rules for the inputs; camera_info lies beside the image by convention."""
    rules = {}
    if image := given.get('input_image_topic'):
        rules['image'] = image
        rules['image/compressed'] = f'{image}/compressed'
        rules['camera_info'] = str(PurePosixPath(image).with_name('camera_info'))
    if camera_info := given.get('input_camera_info_topic'):
        rules['camera_info'] = camera_info
    return list(rules.items())
