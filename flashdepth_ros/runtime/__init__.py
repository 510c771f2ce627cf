"""From RGB arrays to metres, one stream at a time; no ROS."""

from flashdepth_ros.runtime.estimator import DepthEstimator, DepthFrame
from flashdepth_ros.runtime.sequence import ResetReason, SequencePolicy, StaleFrameError

__all__ = ['DepthEstimator', 'DepthFrame', 'ResetReason', 'SequencePolicy', 'StaleFrameError']
