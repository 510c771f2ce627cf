"""Settings of the comparison: everything that the figures of a report depend on."""

from __future__ import annotations

from dataclasses import dataclass

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.messages import check_bits

ALIGNMENTS = ('none', 'scale', 'scale_shift', 'frame')
"""As predicted; one scale, or one scale and shift, per sequence; scale and shift per frame."""


@dataclass(frozen=True)
class Topics:
    """Names of topics in the bags; '': the only topic of that type."""

    image: str = ''
    camera_info: str = ''
    depth: str = ''
    lidar: str = ''
    odometry: str = ''
    lidar_pose: tuple[float, ...] = ()
    """Of the lidar in the camera's optical frame: x y z (m), quaternion x y z w; (): from tf."""


@dataclass(frozen=True)
class Protocol:
    """How frames are paired, which pixels are compared, and the size of the maps."""

    tolerance_s: float = 0.025
    """Maximum time between a frame and its ground truth."""
    depth_min_m: float = 0.1
    depth_max_m: float = 100.0
    """True depth outside these limits is ignored; predicted depth is clipped to them."""
    pixels_max: int = 640 * 480
    """Larger ground truth is subsampled: every n-th pixel of every n-th row."""
    motion_pixels_max: int = 160 * 120
    """Size of the maps on which the temporal alignment error is computed."""
    alignment: str = 'scale_shift'
    """Alignment used for plots, pictures, and the choice of the best and worst frames."""
    image_bits: int = 0
    """Number of bits in use of 16-bit images; 0: found from the images."""
    allow_other_camera: bool = False
    """Compare pixel by pixel even if depth is of another camera than the images."""

    @property
    def fitted(self) -> str:
        """Return the alignment shown beside the figures as predicted."""
        return 'scale_shift' if self.alignment == 'none' else self.alignment

    def __post_init__(self) -> None:
        check_bits(self.image_bits)
        if not 0 < self.depth_min_m < self.depth_max_m < float('inf'):
            raise ConfigError(
                f'depth limits {self.depth_min_m:g} to {self.depth_max_m:g} m; '
                'expected 0 < minimum < maximum, both finite'
            )
        if not self.tolerance_s >= 0:
            raise ConfigError(f'tolerance of {self.tolerance_s:g} s; expected 0 or more')
        if self.pixels_max < 4 or self.motion_pixels_max < 4:
            smallest = min(self.pixels_max, self.motion_pixels_max)
            raise ConfigError(f'maps of at most {smallest} pixels; expected 4 or more')
        if self.alignment not in ALIGNMENTS:
            raise ConfigError(
                f'unknown alignment {self.alignment!r}; expected one of {", ".join(ALIGNMENTS)}'
            )
