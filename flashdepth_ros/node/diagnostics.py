"""The diagnostics messages: `~/timing` for each frame, `/diagnostics` once a period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.time import Time

from flashdepth_ros.node.statistics import FrameTimes, Snapshot
from flashdepth_ros.runtime.sequence import SequencePosition

IMAGE_TIMEOUT_S = 5.0
_MIN_OUTPUT_RATIO = 0.9
"""The node cannot keep up if its output rate is below this share of the required rate."""


@dataclass(frozen=True)
class NodeStatus:
    """The state of the node, without its statistics."""

    name: str
    active: bool
    enabled: bool
    has_subscribers: bool
    model: Mapping[str, str]
    """Device, model, precision, engine, memory, inference size: copied into the message."""
    target_rate: float = 0.0
    """The required output rate, Hz; 0: the rate of the images."""


def timing_message(
    name: str, stamp_ns: int, position: SequencePosition, times: FrameTimes
) -> DiagnosticArray:
    """Return the message of one frame; its stamp is the image's."""
    values = {
        'sequence_id': position.sequence_id,
        'frames_since_reset': position.frames_since_reset,
        'reset_reason': position.reset_reason.value,
        **{stage: f'{value:.3f}' for stage, value in asdict(times).items()},
    }
    status = _status(DiagnosticStatus.OK, f'{name}: timing', 'frame', values)
    return _array(stamp_ns, status)


def diagnostics_message(
    now_ns: int, node: NodeStatus, statistics: Snapshot, period_s: float
) -> DiagnosticArray:
    """Return the message for `/diagnostics`: level, reason and statistics."""
    level, message = health(node, statistics, period_s)
    values: dict[str, Any] = {
        'rate_in_hz': f'{statistics.rate_in_hz:.2f}',
        'rate_out_hz': f'{statistics.rate_out_hz:.2f}',
        'processed': statistics.processed,
        'dropped_transport': statistics.dropped_transport,
        'dropped_stale': statistics.dropped_stale,
        'dropped_bad': statistics.dropped_bad,
        'unwanted': statistics.unwanted,
        'foreign': statistics.foreign,
        'resets': statistics.resets,
        'last_reset_reason': statistics.last_reset_reason,
        **node.model,
    }
    for stage, percentiles in statistics.percentiles.items():
        for kind, value in zip(('p50', 'p95', 'max'), percentiles, strict=True):
            values[f'{stage}_{kind}'] = f'{value:.3f}'
    return _array(now_ns, _status(level, f'{node.name}: depth', message, values))


def health(node: NodeStatus, statistics: Snapshot, period_s: float) -> tuple[bytes, str]:
    """Return the diagnostics level and one line that gives the reason."""
    if statistics.since_non_finite_s <= 2 * period_s:
        return DiagnosticStatus.ERROR, 'the network output was not finite: new sequence'
    if not node.active:
        return DiagnosticStatus.OK, 'not active'
    if statistics.since_image_s > IMAGE_TIMEOUT_S:
        return DiagnosticStatus.WARN, f'no images for {statistics.since_image_s:.0f} s'
    if not node.enabled:
        return DiagnosticStatus.OK, 'disabled'
    if not node.has_subscribers:
        return DiagnosticStatus.OK, 'idle: no output has a subscriber'
    rates = f'{statistics.rate_out_hz:.1f} of {statistics.rate_in_hz:.1f} images/s'
    required_hz = min(statistics.rate_in_hz, node.target_rate or statistics.rate_in_hz)
    if statistics.rate_out_hz < _MIN_OUTPUT_RATIO * required_hz:
        return DiagnosticStatus.WARN, f'cannot keep up: {rates}'
    return DiagnosticStatus.OK, f'running: {rates}'


def _status(level: bytes, name: str, message: str, values: Mapping[str, Any]) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    device = str(values.get('device', ''))
    return DiagnosticStatus(
        level=level, name=name, message=message, hardware_id=device, values=pairs
    )


def _array(stamp_ns: int, status: DiagnosticStatus) -> DiagnosticArray:
    array = DiagnosticArray(status=[status])
    array.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
    return array
