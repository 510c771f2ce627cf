"""Start one depth node for several cameras, which share its model."""

from __future__ import annotations

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

DEPTH = str(Path(__file__).with_name('depth.launch.py'))


def generate_launch_description() -> LaunchDescription:
    """Return the description for `ros2 launch flashdepth_ros multi_camera.launch.py`."""
    return LaunchDescription(
        [
            DeclareLaunchArgument('cameras', description='names, separated by spaces'),
            DeclareLaunchArgument(
                'input_image_topics',
                default_value='',
                description='image topics in the order of the cameras, separated by spaces; '
                'empty: NAME/image',
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(DEPTH),
                launch_arguments={
                    'cameras': LaunchConfiguration('cameras'),
                    'input_image_topic': LaunchConfiguration('input_image_topics'),
                }.items(),
            ),
        ]
    )
