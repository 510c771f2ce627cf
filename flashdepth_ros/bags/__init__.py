"""Read rosbag2 (sqlite3, MCAP, compressed) and ROS 1 bags, write rosbag2; ROS-independent."""

from flashdepth_ros.bags.build import build_message, header, stamp
from flashdepth_ros.bags.find import (
    INVERSE,
    find_camera_info_topic,
    find_depth_topic,
    find_image_topic,
    find_predicted_topic,
    find_topic,
)
from flashdepth_ros.bags.frames import Frame, Frames, estimate_frames
from flashdepth_ros.bags.reader import BagReader, Record, Topic
from flashdepth_ros.bags.writer import BagWriter

__all__ = [
    'INVERSE',
    'BagReader',
    'BagWriter',
    'Frame',
    'Frames',
    'Record',
    'Topic',
    'build_message',
    'estimate_frames',
    'find_camera_info_topic',
    'find_depth_topic',
    'find_image_topic',
    'find_predicted_topic',
    'find_topic',
    'header',
    'stamp',
]
