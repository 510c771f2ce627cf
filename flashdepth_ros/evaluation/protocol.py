"""What is compared with what, and how: all that the figures of a report depend on."""

from __future__ import annotations

from dataclasses import dataclass

from flashdepth_ros.errors import ConfigError

ALIGNMENTS = ('none', 'scale', 'scale_shift', 'frame')
"""As predicted; by one scale a sequence; one scale and shift a sequence, or one a frame."""


@dataclass(frozen=True)
class Topics:
    """Names of topics and frames in the bags; '': found, where there is one to choose."""

    image: str = ''
    camera_info: str = ''
    depth: str = ''
    lidar: str = ''
    odometry: str = ''
    lidar_pose: tuple[float, ...] = ()
    """Of the lidar in the camera's optical frame: x y z in metres, quaternion x y z w; (): tf."""


@dataclass(frozen=True)
class Protocol:
    """How frames are paired, which pixels count, and how large the maps are."""

    tolerance_s: float = 0.025
    """A frame and its truth may be this far apart in time."""
    depth_min_m: float = 0.1
    depth_max_m: float = 100.0
    """True depth outside these limits is no truth; predicted depth is clipped to them."""
    pixels_max: int = 640 * 480
    """Larger truth is thinned to every n-th pixel and row."""
    motion_pixels_max: int = 160 * 120
    """Of the maps whose temporal alignment error is taken."""
    alignment: str = 'scale_shift'
    """The one that plots, pictures and the best and worst frames go by."""

    def __post_init__(self) -> None:
        if not 0 < self.depth_min_m < self.depth_max_m < float('inf'):
            raise ConfigError(
                f'depth limits {self.depth_min_m:g} to {self.depth_max_m:g} m; '
                'both must be positive, finite and in order'
            )
        if not self.tolerance_s >= 0:
            raise ConfigError(f'tolerance of {self.tolerance_s:g} s; it cannot be negative')
        if self.pixels_max < 4 or self.motion_pixels_max < 4:
            raise ConfigError('maps of fewer than 4 pixels; give more')
        if self.alignment not in ALIGNMENTS:
            raise ConfigError(
                f'alignment {self.alignment!r} is not known; one of {", ".join(ALIGNMENTS)}'
            )
