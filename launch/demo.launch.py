"""Show the depth of a simulated camera: start the camera, the depth node and, if wanted, RViz."""

from __future__ import annotations

from pathlib import Path

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
from launch.substitutions import LaunchConfiguration
from launch_ros.substitutions import ExecutableInPackage

DEPTH = str(Path(__file__).with_name('depth.launch.py'))
TOOL = ExecutableInPackage('flashdepth', 'flashdepth_ros')
KINDS = ['any', 'indoor', 'outdoor', 'mixed']


def generate_launch_description() -> LaunchDescription:
    """Return the description for `ros2 launch flashdepth_ros demo.launch.py rviz:=true`."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'kind', default_value='indoor', choices=KINDS, description='kind of scene'
            ),
            DeclareLaunchArgument(
                'seed', default_value='0', description='random seed of scene and camera path'
            ),
            DeclareLaunchArgument('rate', default_value='10', description='frame rate, Hz'),
            DeclareLaunchArgument(
                'size', default_value='640x480', description='image size, WxH in px'
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(DEPTH),
                launch_arguments={'input_image_topic': '/camera/image_raw'}.items(),
            ),
            # After the node: the transport that it chooses is the camera's, too.
            OpaqueFunction(function=_camera),
        ]
    )


def _camera(_: LaunchContext) -> list[ExecuteProcess]:
    """Publish the camera. Not a launch_ros Node, because it does not accept ROS arguments."""
    command = [TOOL, 'camera']
    for name in ('kind', 'seed', 'rate', 'size'):
        command += [f'--{name}', LaunchConfiguration(name)]
    return [ExecuteProcess(cmd=command, name='camera', output='screen', on_exit=_end_if_failed)]


def _end_if_failed(event: ProcessExited, _: LaunchContext) -> Shutdown | None:
    """Shut down if the camera failed, for example because this computer cannot render."""
    return Shutdown(reason='the camera failed') if event.returncode else None
