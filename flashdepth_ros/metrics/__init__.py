"""
Compare depth with true depth: alignment, accuracy, order, boundaries, stability; numpy only.

Depths are Z in metres, in arrays that end in (H, W), or (T, H, W) for metrics over time. A pixel
is compared where both depths are finite and > 0 and the optional mask is true. A metric without
any pixel to compare returns NaN; an alignment with too few pixels raises InputError.
"""

from flashdepth_ros.metrics.accuracy import abs_rel, delta, delta1, rmse
from flashdepth_ros.metrics.alignment import (
    Moments,
    align_scale,
    align_scale_shift,
    frame_scales,
)
from flashdepth_ros.metrics.boundaries import BOUNDARY_THRESHOLDS, boundary_f1
from flashdepth_ros.metrics.order import order_accuracy
from flashdepth_ros.metrics.pixels import valid_pixels
from flashdepth_ros.metrics.reprojection import tae
from flashdepth_ros.metrics.stability import drift_curve, flicker, scale_drift

__all__ = [
    'BOUNDARY_THRESHOLDS',
    'Moments',
    'abs_rel',
    'align_scale',
    'align_scale_shift',
    'boundary_f1',
    'delta',
    'delta1',
    'drift_curve',
    'flicker',
    'frame_scales',
    'order_accuracy',
    'rmse',
    'scale_drift',
    'tae',
    'valid_pixels',
]
