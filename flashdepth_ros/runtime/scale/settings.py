"""The settings of the online scale, as further settings of depth estimation."""

from __future__ import annotations

from dataclasses import dataclass

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.runtime.scale.fit import Scale
from flashdepth_ros.runtime.setting_description import setting
from flashdepth_ros.runtime.settings import FAR_M, Settings, missing_metres


@dataclass(frozen=True)
class ScaleSettings(Settings):
    """
    The settings of depth estimation and of its scale; the ROS name of `scale_source` has a dot.

    :raises ConfigError: two settings contradict each other.
    """

    scale_source: str = setting(
        'none',
        'what metres are fitted to while images arrive: none: nothing, depth.scale stays; depth: '
        'depth images on scale/depth; points: a cloud on scale/points or a scan on scale/scan; '
        'height: the ground below the camera, at scale.camera_height',
        choices=('none', 'depth', 'points', 'height'),
    )
    scale_model: str = setting(
        'scale',
        'what is fitted: scale, or scale_shift: also a shift of inverse depth, for relative '
        'models and a reference of many distances',
        choices=('scale', 'scale_shift'),
        dynamic=True,
    )
    scale_camera_height: float = setting(
        0.0,
        'height of the camera above the ground, m; the source height needs it',
        high=1e3,
        dynamic=True,
    )
    scale_base_frame: str = setting(
        'base_link',
        'frame whose z axis points up: its tf to the camera gives the direction of the ground; '
        'without it the camera is taken as level',
        dynamic=True,
    )
    scale_tolerance: float = setting(
        0.05, 'maximum time between an image and its reference, s', high=10.0, dynamic=True
    )
    scale_reference_min: float = setting(
        0.2, 'nearer depth of the reference is not used, m', high=FAR_M, dynamic=True
    )
    scale_reference_max: float = setting(
        30.0, 'farther depth of the reference is not used, m', high=FAR_M, dynamic=True
    )
    scale_window: float = setting(
        3.0,
        'the scale is fitted to the references of this time; longer is steadier and slower, s',
        low=0.1,
        high=600.0,
        dynamic=True,
    )
    scale_max_rate: float = setting(
        0.1,
        'maximum change of the scale in a second, as a share; jumps are reported',
        low=1e-3,
        high=10.0,
        dynamic=True,
    )
    scale_min_points: int = setting(
        30,
        'a reference with fewer points in the image is not used',
        low=3,
        high=1000,
        dynamic=True,
    )
    scale_min_inliers: float = setting(
        0.4,
        'minimum share of the points within 25 % of the reference for a fit to be used',
        high=1.0,
        dynamic=True,
    )
    scale_timeout: float = setting(
        3.0,
        'a scale without a new fit for this time is reported as old, and kept, s',
        low=0.1,
        high=FAR_M,
        dynamic=True,
    )

    def __post_init__(self) -> None:
        """Check the limits against each other."""
        super().__post_init__()
        if not self.scale_reference_min < self.scale_reference_max:
            raise ConfigError(
                f'scale.reference_min {self.scale_reference_min} and scale.reference_max '
                f'{self.scale_reference_max}; the first must be less than the second'
            )
        if self.scale_source == 'height':
            self._check_height()

    def _check_height(self) -> None:
        if self.scale_camera_height == 0.0:
            raise ConfigError(
                'scale.source height needs scale.camera_height, which is 0: set it to the height '
                'of the camera above the ground in metres'
            )
        if self.scale_model != 'scale':
            raise ConfigError(
                'scale.source height gives one factor, no shift: set scale.model to scale'
            )

    @property
    def start_scale(self) -> Scale | None:
        """What gives metres before the first fit: `depth.scale`; None if there are none."""
        if self.depth_output == 'relative' or missing_metres(self):
            return None
        return Scale(self.depth_scale)
