"""Play a recording for the depth node and, with `rviz:=true`, RViz, with its time on /clock."""

from __future__ import annotations

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.event_handlers import OnStateTransition
from launch_ros.substitutions import ExecutableInPackage

DEPTH = str(Path(__file__).with_name('depth.launch.py'))


def generate_launch_description() -> LaunchDescription:
    """Return the description for `ros2 launch flashdepth_ros replay.launch.py bag:=RECORDING`."""
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
                description='seconds to wait for subscribers before the first message',
            ),
            OpaqueFunction(function=_play_when_active),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(DEPTH),
                launch_arguments={'use_sim_time': 'true'}.items(),
            ),
        ]
    )


def _play_when_active(context: LaunchContext) -> list[RegisterEventHandler]:
    """Start the player when the node is active, so that the node receives the first images."""
    player = _player(context.launch_configurations)
    active = OnStateTransition(goal_state='active', entities=[player], handle_once=True)
    return [RegisterEventHandler(active)]


def _player(chosen: dict[str, str]) -> ExecuteProcess:
    # Not `ros2 bag play`, which needs a storage plugin for each format. Not a launch_ros Node,
    # because the player does not accept ROS arguments.
    command = [ExecutableInPackage('flashdepth', 'flashdepth_ros'), 'play', chosen['bag']]
    command += ['--clock', '--rate', chosen['rate'], '--wait', chosen['wait']]
    if chosen['loop'] == 'true':
        command.append('--loop')
    return ExecuteProcess(cmd=command, name='player', output='screen', on_exit=_end_if_failed)


def _end_if_failed(event: ProcessExited, _: LaunchContext) -> Shutdown | None:
    """Shut down if the player failed; after a complete replay keep node and RViz running."""
    return Shutdown(reason='the player failed') if event.returncode else None
