"""Results for people: pictures, a film, a point cloud, tables; numpy and OpenCV, no ROS."""

from flashdepth_ros.presentation.contact_sheet import DepthRange, Moment, contact_sheet
from flashdepth_ros.presentation.film import Film
from flashdepth_ros.presentation.point_cloud import write_ply
from flashdepth_ros.presentation.stage_times import StageTime, format_stages, stage_times
from flashdepth_ros.presentation.stage_times import write_csv as write_stages

__all__ = [
    'DepthRange',
    'Film',
    'Moment',
    'StageTime',
    'contact_sheet',
    'format_stages',
    'stage_times',
    'write_ply',
    'write_stages',
]
