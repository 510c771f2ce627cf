"""Results for users: contact sheet, video, point cloud, timing table; numpy and OpenCV, no ROS."""

from flashdepth_ros.presentation.contact_sheet import DepthRange, TimeStep, contact_sheet
from flashdepth_ros.presentation.point_cloud import write_ply
from flashdepth_ros.presentation.stage_times import StageTime, format_stages, stage_times
from flashdepth_ros.presentation.stage_times import write_csv as write_stages
from flashdepth_ros.presentation.video import DepthVideo

__all__ = [
    'DepthRange',
    'DepthVideo',
    'StageTime',
    'TimeStep',
    'contact_sheet',
    'format_stages',
    'stage_times',
    'write_ply',
    'write_stages',
]
