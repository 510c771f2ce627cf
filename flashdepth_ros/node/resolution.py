"""Sets the size of the network's input that the governor chooses on the estimator."""

from __future__ import annotations

from rclpy.impl.rcutils_logger import RcutilsLogger

from flashdepth_ros.node.governor import Governor, scaled_size
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.preprocess import FixedSize


class Resolution:
    """
    Sets the estimator's input size as chosen by the governor, and logs each change.

    The recurrent state is not reset: it does not depend on the image size. Depth at the new size
    differs by a few tenths of a per cent from depth at a constant size, as much as with a new
    sequence.
    """

    def __init__(self, estimator: DepthEstimator, logger: RcutilsLogger) -> None:
        self._estimator, self._logger = estimator, logger
        self._full = estimator.size
        self._governor = Governor()
        self._used: tuple[float, tuple[int, int]] | None = None
        self.warning = ''
        """That memory ran out, and which size is used since then; '' if it did not."""

    def prepare(self, target_rate: float, height: int, width: int) -> None:
        """
        Set the size for an image of height x width px and a rate in Hz; 0 = full size.

        :raises InputError: an exported model has one size, and the image another shape.
        """
        if isinstance(self._full, FixedSize):
            if target_rate:
                self._logger.warning(
                    'target_rate has no effect: the exported model has one size', once=True
                )
            self._used = 1.0, self._estimator.inference_size(height, width)
            return
        self._governor.target_rate = target_rate
        self._estimator.size = self._full
        full = self._estimator.inference_size(height, width)
        share = self._governor.share
        self._estimator.size = scaled_size(self._full, share, full)
        # One assignment: the diagnostics timer reads both values from another thread.
        self._used = share, self._estimator.inference_size(height, width)

    def observe(self, cost_ms: float) -> None:
        """Record how long a frame occupied the inference thread."""
        before = self._governor.share
        if self._governor.observe(cost_ms):
            self._logger.info(
                f'target_rate {self._governor.target_rate:g} Hz, a frame takes {cost_ms:.0f} ms: '
                f'sides of the inference size from {before:.0%} to {self._governor.share:.0%}'
            )

    def shrink(self) -> None:
        """Use a smaller input from the next frame on, because memory ran out."""
        before = self._governor.share
        if self._governor.forbid_current():
            self.warning = (
                f'out of memory with {before:.0%} of the sides of the inference size: '
                f'{self._governor.share:.0%} are used (lower inference.short_side to choose it)'
            )
            self._logger.error(self.warning)

    def restore(self) -> None:
        """Set the estimator back to its full size."""
        self._estimator.size = self._full

    @property
    def diagnostics(self) -> dict[str, str]:
        """Values for `/diagnostics`, of the last image; without a size before the first image."""
        rate = {'target_rate_hz': f'{self._governor.target_rate:g}'}
        if self._used is None:
            return rate | {'inference_share': f'{self._governor.share:g}'}
        share, (height, width) = self._used
        return rate | {'inference_share': f'{share:g}', 'inference_size': f'{width}x{height}'}
