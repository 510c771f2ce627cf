"""What the inference thread receives: an image with its resets, or the size of images."""

from __future__ import annotations

from dataclasses import dataclass

from flashdepth_ros.ros.transport import AnyImage
from flashdepth_ros.runtime import ResetReason


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """
    The number of resets requested so far, and the reason of the last one.

    Each image carries the request that was current when it arrived. So an image that was already
    in the mailbox does not start the new sequence, and an image dropped there does not lose the
    request.
    """

    number: int = 0
    reason: ResetReason = ResetReason.NONE


@dataclass(frozen=True, slots=True)
class WarmUp:
    """That images of a size, px, are expected."""

    height: int
    width: int


@dataclass(frozen=True, slots=True)
class ReceivedImage:
    """An image as it was received."""

    image: AnyImage
    transport_ms: float
    """From sending to receiving, by the time stamps of the middleware."""
    received_s: float
    """When the executor received it, by `time.perf_counter`."""
    reset_request: ResetRequest = ResetRequest()
