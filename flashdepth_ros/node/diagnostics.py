"""What the node tells of itself: `~/timing` for each frame, `/diagnostics` once a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.time import Time

from flashdepth_ros.node.statistics import FrameTimes, Snapshot
from flashdepth_ros.runtime.sequence import Place

SILENCE_S = 5.0
_BUSY = 0.9
"""Below this share of the incoming rate, the machine is not keeping up."""


@dataclass(frozen=True)
class Situation:
    """What the node is, beside its statistics."""

    name: str
    active: bool
    enabled: bool
    wanted: bool
    model: Mapping[str, str]
    """Device, model, precision, engine, memory, inference size: shown as they are."""
    target_rate: float = 0.0
    """The rate that is enough, Hz; 0: that of the images."""


def timing_message(name: str, stamp_ns: int, place: Place, times: FrameTimes) -> DiagnosticArray:
    """Return the message of one frame; its stamp is the image's."""
    values = {
        'sequence_id': place.sequence_id,
        'frames_since_reset': place.frames_since_reset,
        'reset_reason': place.reset_reason.value,
        **{stage: f'{value:.3f}' for stage, value in asdict(times).items()},
    }
    status = _status(DiagnosticStatus.OK, f'{name}: timing', 'frame', values)
    return _array(stamp_ns, status)


def diagnostics_message(
    now_ns: int, situation: Situation, statistics: Snapshot, period_s: float
) -> DiagnosticArray:
    """Return the summary of the last seconds, with its level and why."""
    level, message = judge(situation, statistics, period_s)
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
        **situation.model,
    }
    for stage, percentiles in statistics.percentiles.items():
        for kind, value in zip(('p50', 'p95', 'max'), percentiles, strict=True):
            values[f'{stage}_{kind}'] = f'{value:.3f}'
    return _array(now_ns, _status(level, f'{situation.name}: depth', message, values))


def judge(situation: Situation, statistics: Snapshot, period_s: float) -> tuple[bytes, str]:
    """Return the level and one line that says why."""
    if statistics.since_non_finite_s <= 2 * period_s:
        return DiagnosticStatus.ERROR, 'the network gave numbers that are not finite; reset'
    if not situation.active:
        return DiagnosticStatus.OK, 'not active'
    if statistics.since_image_s > SILENCE_S:
        return DiagnosticStatus.WARN, f'no images for {statistics.since_image_s:.0f} s'
    if not situation.enabled:
        return DiagnosticStatus.OK, 'disabled'
    if not situation.wanted:
        return DiagnosticStatus.OK, 'idle: nobody subscribes to an output'
    rates = f'{statistics.rate_out_hz:.1f} of {statistics.rate_in_hz:.1f} images/s'
    enough_hz = min(statistics.rate_in_hz, situation.target_rate or statistics.rate_in_hz)
    if statistics.rate_out_hz < _BUSY * enough_hz:
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
