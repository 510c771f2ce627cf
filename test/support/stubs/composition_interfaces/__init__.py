"""Stub of the ROS package, which launch_ros imports and which has no wheel."""
