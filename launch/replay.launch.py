"""Play a recording for the depth node and, with `rviz:=true`, RViz, with its time on /clock."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
)
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.substitutions import ExecutableInPackage

DEPTH = str(Path(__file__).with_name('depth.launch.py'))
TOOL = ExecutableInPackage('flashdepth', 'flashdepth_ros')
# The options of `flashdepth topics`, by the launch arguments that they take their values from.
CHOICES = {
    'input_image_topic': '--topic',
    'input_camera_info_topic': '--info-topic',
    'image_transport': '--transport',
}


def generate_launch_description() -> LaunchDescription:
    """Return the description for `ros2 launch flashdepth_ros replay.launch.py bag:=RECORDING`."""
    inputs: dict[str, Any] = {}
    return LaunchDescription(
        [
            DeclareLaunchArgument('bag', description='rosbag2 folder, .mcap, .db3 or ROS 1 .bag'),
            DeclareLaunchArgument('rate', default_value='1.0', description='playback speed'),
            DeclareLaunchArgument(
                'loop',
                default_value='false',
                choices=['true', 'false'],
                description='repeat the recording; time stamps go back at each start',
            ),
            DeclareLaunchArgument(
                'wait',
                default_value='5.0',
                description='seconds to wait for subscribers once the node is active',
            ),
            DeclareLaunchArgument(
                'topics',
                default_value='',
                description='further topics to play, beside image and camera_info: names '
                'separated by spaces, or all',
            ),
            OpaqueFunction(function=_choose_topics, args=[inputs]),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(DEPTH),
                launch_arguments={'use_sim_time': 'true'}.items(),
            ),
            # After the node: the transport that it chooses is the player's, too.
            OpaqueFunction(function=_player, args=[inputs]),
        ]
    )


def _choose_topics(context: LaunchContext, inputs: dict[str, Any]) -> None:
    """
    Fill `inputs` with what `flashdepth topics --json` prints, and set the node's arguments.

    It is called as a program because this file is run by ROS's Python, which may lack packages.
    """
    chosen = context.launch_configurations
    options = [
        word
        for name, option in CHOICES.items()
        if chosen.get(name)
        for word in (option, chosen[name])
    ]
    command = [TOOL.perform(context), 'topics', chosen['bag'], '--json', *options]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError(found.stderr.strip() or f'{" ".join(command)} failed')
    inputs.update(json.loads(found.stdout))
    chosen.update(inputs['launch_arguments'])


def _player(context: LaunchContext, inputs: dict[str, Any]) -> list[ExecuteProcess]:
    """Play for the node, when it is active, so that it receives the first images."""
    chosen = context.launch_configurations
    namespace = chosen['namespace'].strip('/')
    node = f'/{namespace}/flashdepth' if namespace else '/flashdepth'
    # Not `ros2 bag play`, which needs a storage plugin for each format. Not a launch_ros Node,
    # because the player does not accept ROS arguments.
    command = [TOOL, 'play', chosen['bag'], '--clock', '--rate', chosen['rate']]
    command += ['--wait-active', node, '--wait', chosen['wait'], '--wait-for', *inputs['topics']]
    if chosen['topics'] != 'all':
        command += ['--topics', *inputs['topics'], *chosen['topics'].split()]
    if inputs['remap']:
        command += ['--remap', *inputs['remap']]
    if chosen['loop'] == 'true':
        command.append('--loop')
    return [ExecuteProcess(cmd=command, name='player', output='screen', on_exit=_end_if_failed)]


def _end_if_failed(event: ProcessExited, _: LaunchContext) -> Shutdown | None:
    """Shut down if the player failed; after a complete replay keep node and RViz running."""
    return Shutdown(reason='the player failed') if event.returncode else None
