"""Play a recording to the depth node, and to RViz if asked, in the recording's own time."""

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
    """Return what `ros2 launch flashdepth_ros replay.launch.py bag:=RECORDING` runs."""
    return LaunchDescription(
        [
            DeclareLaunchArgument('bag', description='rosbag2 folder, .mcap, .db3 or ROS 1 .bag'),
            DeclareLaunchArgument('rate', default_value='1.0', description='times as fast'),
            DeclareLaunchArgument(
                'loop',
                default_value='false',
                choices=['true', 'false'],
                description='again and again; stamps go back at each start',
            ),
            DeclareLaunchArgument(
                'wait',
                default_value='5.0',
                description='s to hold the first message while a topic has no subscriber',
            ),
            OpaqueFunction(function=_play_when_active),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(DEPTH),
                launch_arguments={'use_sim_time': 'true'}.items(),
            ),
        ]
    )


def _play_when_active(context: LaunchContext) -> list[RegisterEventHandler]:
    """Wait for the node, which takes seconds to load its network, lest it misses the beginning."""
    player = _player(context.launch_configurations)
    active = OnStateTransition(goal_state='active', entities=[player], handle_once=True)
    return [RegisterEventHandler(active)]


def _player(chosen: dict[str, str]) -> ExecuteProcess:
    # `ros2 bag play` needs a storage plugin for each kind of recording; this reads them all. It is
    # no launch_ros Node, whose arguments for ROS it would not understand.
    command = [ExecutableInPackage('flashdepth', 'flashdepth_ros'), 'play', chosen['bag']]
    command += ['--clock', '--rate', chosen['rate'], '--wait', chosen['wait']]
    if chosen['loop'] == 'true':
        command.append('--loop')
    return ExecuteProcess(cmd=command, name='player', output='screen', on_exit=_end_if_failed)


def _end_if_failed(event: ProcessExited, _: LaunchContext) -> Shutdown | None:
    """Leave the results on the screen at the recording's end, but not wait for one that failed."""
    return Shutdown(reason='the player failed') if event.returncode else None
