"""From RGB arrays to metres, one stream at a time; no ROS."""

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
