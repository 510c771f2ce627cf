"""The size of the network's input, governed: set on the estimator, and told."""

from __future__ import annotations

from rclpy.impl.rcutils_logger import RcutilsLogger

from flashdepth_ros.node.governor import Governor, shrunk
from flashdepth_ros.runtime import DepthEstimator


class Resolution:
    """
    Lets an estimator see images as large as the governor allows, and logs each change.

    The recurrent state stays: it holds nothing of the image's size, and at the new size depth
    is within a few tenths of a per cent of what it would be had it never been another, as close
    as with a new sequence.
    """

    def __init__(self, estimator: DepthEstimator, logger: RcutilsLogger) -> None:
        self._estimator, self._logger = estimator, logger
        self._full = estimator.size
        self._governor = Governor()
        self._used: tuple[float, tuple[int, int]] | None = None

    def prepare(self, target_rate: float, height: int, width: int) -> None:
        """Set the size for an image of this size, px, so that a rate is kept, Hz; 0 = the full."""
        self._governor.target_rate = target_rate
        self._estimator.size = self._full
        full = self._estimator.inference_size(height, width)
        share = self._governor.share
        self._estimator.size = shrunk(self._full, share, full)
        # In one piece: diagnostics read it from another thread.
        self._used = share, self._estimator.inference_size(height, width)

    def observe(self, cost_ms: float) -> None:
        """Take how long a frame kept the inference thread: so long the next one has to wait."""
        before = self._governor.share
        if self._governor.observe(cost_ms):
            self._logger.info(
                f'target_rate {self._governor.target_rate:g} Hz, a frame takes {cost_ms:.0f} ms: '
                f'sides of the inference size from {before:.0%} to {self._governor.share:.0%}'
            )

    def release(self) -> None:
        """Give the estimator its full size back."""
        self._estimator.size = self._full

    @property
    def facts(self) -> dict[str, str]:
        """What diagnostics tell of it, as the last image was seen; before one, no size."""
        rate = {'target_rate_hz': f'{self._governor.target_rate:g}'}
        if self._used is None:
            return rate | {'inference_share': f'{self._governor.share:g}'}
        share, (height, width) = self._used
        return rate | {'inference_share': f'{share:g}', 'inference_size': f'{width}x{height}'}
