"""
Convert sensor_msgs messages to arrays and back.

A message is any object with the right fields: from rclpy, from a bag, or a view of raw CDR.
"""

from flashdepth_ros.messages.cloud import CLOUD_FIELDS, CloudField, cloud_data
from flashdepth_ros.messages.compressed import (
    Compressed,
    CompressedImageMessage,
    compress_rgb,
    read_compressed,
)
from flashdepth_ros.messages.compressed_depth import compress_depth
from flashdepth_ros.messages.depth import DEPTH_ENCODINGS, depth_data, read_depth
from flashdepth_ros.messages.encodings import ENCODINGS, ImageMessage, read_rgb
from flashdepth_ros.messages.image_reader import ImageReader, check_bits
from flashdepth_ros.messages.points import read_points, read_scan
from flashdepth_ros.messages.preview import colorize

__all__ = [
    'CLOUD_FIELDS',
    'DEPTH_ENCODINGS',
    'ENCODINGS',
    'CloudField',
    'Compressed',
    'CompressedImageMessage',
    'ImageMessage',
    'ImageReader',
    'check_bits',
    'cloud_data',
    'colorize',
    'compress_depth',
    'compress_rgb',
    'depth_data',
    'read_compressed',
    'read_depth',
    'read_points',
    'read_rgb',
    'read_scan',
]
