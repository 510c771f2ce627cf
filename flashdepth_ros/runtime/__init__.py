"""Depth estimation from RGB arrays, one stream per estimator; ROS-independent."""

from flashdepth_ros.runtime.depth_frame import DepthFrame, PendingFrame
from flashdepth_ros.runtime.estimator import DepthEstimator
from flashdepth_ros.runtime.sequence import ResetReason, SequencePolicy, StaleFrameError

__all__ = [
    'DepthEstimator',
    'DepthFrame',
    'PendingFrame',
    'ResetReason',
    'SequencePolicy',
    'StaleFrameError',
]
