"""
The scale of a stream of depth, fitted online to a reference that knows metres.

`OnlineScale` pairs frames with references by their stamps, and `ScaleTracker` follows the scale
over time. Live node and recordings use the same classes; nothing here needs ROS.
"""

from flashdepth_ros.runtime.scale.fit import Samples, Scale, ScaleFit, fit_samples
from flashdepth_ros.runtime.scale.ground import GroundObserver, GroundReference
from flashdepth_ros.runtime.scale.online import Metres, OnlineScale
from flashdepth_ros.runtime.scale.points import PointReference
from flashdepth_ros.runtime.scale.reference import DepthReference, Reference
from flashdepth_ros.runtime.scale.settings import ScaleSettings
from flashdepth_ros.runtime.scale.view import FrameView

__all__ = [
    'DepthReference',
    'FrameView',
    'GroundObserver',
    'GroundReference',
    'Metres',
    'OnlineScale',
    'PointReference',
    'Reference',
    'Samples',
    'Scale',
    'ScaleFit',
    'ScaleSettings',
    'fit_samples',
]
