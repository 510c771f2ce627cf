"""The diagnostics messages: `~/timing` for each frame, `/diagnostics` once a period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from flashdepth_ros.node.statistics import RATE_WINDOW_S, FrameTimes, Snapshot
from flashdepth_ros.ros.transport import stamp_message
from flashdepth_ros.runtime.scale import Metres
from flashdepth_ros.runtime.sequence import SequencePosition

IMAGE_TIMEOUT_S = 5.0
NETWORK_FAILED = 'new sequence, because the network failed or its output was not finite'
_MIN_OUTPUT_RATIO = 0.9
"""The node cannot keep up if its output rate is below this share of the required rate."""
_MAX_LOST_RATIO = 0.1
"""A larger share of images lost in transport is reported."""
_WORK = ('decode_ms', 'preprocess_ms', 'inference_ms', 'postprocess_ms', 'publish_ms')
"""The stages in which the node works."""


@dataclass(frozen=True)
class NodeStatus:
    """The state of the node, without its statistics."""

    name: str
    """The full name, with the namespace, and the camera if there are several."""
    active: bool
    enabled: bool
    has_subscribers: bool
    model: Mapping[str, str]
    """Device, model, precision, engine, memory, inference size: copied into the message."""
    target_rate: float = 0.0
    """The required output rate, Hz; 0: the rate of the images."""
    fault: str = ''
    """What is wrong with a thread; '' if nothing is."""
    warnings: tuple[str, ...] = ()
    """What else the user has to know."""


def timing_message(
    name: str, stamp_ns: int, position: SequencePosition, metres: Metres, times: FrameTimes
) -> DiagnosticArray:
    """Return the message of one frame; its stamp is the image's."""
    values = {
        'sequence_id': position.sequence_id,
        'frames_since_reset': position.frames_since_reset,
        'reset_reason': position.reset_reason.value,
        'scale': '' if metres.scale is None else f'{metres.scale.factor:.4f}',
        'scale_changed': '' if metres.jump == 1.0 else f'{metres.jump:.3f}',
        **{stage: f'{value:.3f}' for stage, value in asdict(times).items()},
    }
    status = _status(DiagnosticStatus.OK, f'{name}: timing', 'frame', values)
    return _array(stamp_ns, [status])


def diagnostics_message(
    now_ns: int, cameras: Iterable[tuple[NodeStatus, Snapshot]], period_s: float
) -> DiagnosticArray:
    """Return the message for `/diagnostics`, with one status for each camera."""
    return _array(now_ns, [_depth_status(*each, period_s) for each in cameras])


def _depth_status(node: NodeStatus, statistics: Snapshot, period_s: float) -> DiagnosticStatus:
    """Return level, reason and statistics."""
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
        'last_bad_reason': statistics.last_bad_reason,
        **node.model,
    }
    for stage, percentiles in statistics.percentiles.items():
        for kind, value in zip(('p50', 'p95', 'max'), percentiles, strict=True):
            values[f'{stage}_{kind}'] = f'{value:.3f}'
    return _status(level, f'{node.name}: depth', message, values)


def health(node: NodeStatus, statistics: Snapshot, period_s: float) -> tuple[bytes, str]:
    """Return the diagnostics level and one line that gives the reason."""
    if node.fault:
        return DiagnosticStatus.ERROR, node.fault
    if statistics.since_non_finite_s <= 2 * period_s:
        return DiagnosticStatus.ERROR, NETWORK_FAILED
    if not node.active:
        return DiagnosticStatus.OK, 'not active'
    if statistics.since_image_s > IMAGE_TIMEOUT_S:
        return DiagnosticStatus.WARN, f'no images for {statistics.since_image_s:.0f} s'
    if not node.enabled:
        return DiagnosticStatus.OK, 'disabled'
    if not node.has_subscribers:
        return DiagnosticStatus.OK, 'idle: no output has a subscriber'
    level, message = _throughput(node, statistics)
    warnings = [*_sender_warnings(statistics), *node.warnings]
    if warnings:
        level = max(level, DiagnosticStatus.WARN)
    return level, '; '.join([message, *warnings])


def _throughput(node: NodeStatus, statistics: Snapshot) -> tuple[bytes, str]:
    """Return level and message of a node that processes images, by how many are published."""
    rates = f'{statistics.rate_out_hz:.1f} of {statistics.rate_in_hz:.1f} images/s'
    required_hz = min(statistics.rate_in_hz, node.target_rate or statistics.rate_in_hz)
    drops = statistics.recent_drops
    unusable = any(drops.get(cause) for cause in _UNUSABLE)
    if statistics.rate_out_hz < _MIN_OUTPUT_RATIO * required_hz or (
        unusable and not statistics.rate_out_hz
    ):
        cause = max(('replaced', *_UNUSABLE), key=lambda each: drops.get(each, 0))
        level = DiagnosticStatus.ERROR if cause == 'failed' else DiagnosticStatus.WARN
        return level, _describe_loss(cause, statistics, rates)
    return DiagnosticStatus.OK, f'running: {rates}'


_UNUSABLE = {
    'failed': 'images are dropped because of errors (if this goes on, restart the node)',
    'bad': 'images are dropped because they cannot be used',
    'old': 'images are dropped because they are older than max_frame_age',
    'back': 'images are dropped because their stamp went back within reset.backward_tolerance',
}
"""What to report for each cause that has nothing to do with the load."""


def _describe_loss(cause: str, statistics: Snapshot, rates: str) -> str:
    """Return the most frequent cause of too few outputs, with its details."""
    drops, seconds = statistics.recent_drops, f'in {RATE_WINDOW_S:g} s'
    if cause in _UNUSABLE:
        reason = statistics.drop_reasons[cause]
        return f'{_UNUSABLE[cause]}: {drops[cause]} {seconds}, the last one: {reason} ({rates})'
    medians = {
        stage: statistics.percentiles[stage][0] for stage in _WORK if statistics.percentiles
    }
    if not medians:
        return f'cannot keep up: {rates}'
    slowest = max(medians, key=lambda stage: medians[stage])
    return (
        f'cannot keep up: {rates}; {slowest.removesuffix("_ms")} takes {medians[slowest]:.0f} ms'
    )


def _sender_warnings(statistics: Snapshot) -> Iterator[str]:
    """Yield what is wrong with the images before the node receives them."""
    drops = statistics.recent_drops
    if drops.get('foreign'):
        yield (
            f'{drops["foreign"]} images of another publisher ignored in {RATE_WINDOW_S:g} s: '
            'remap one of the publishers'
        )
    lost = drops.get('transport', 0)
    if lost > _MAX_LOST_RATIO * (lost + statistics.recent_arrivals):
        yield f'{lost} images lost in transport in {RATE_WINDOW_S:g} s'


def _status(level: bytes, name: str, message: str, values: Mapping[str, Any]) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    device = str(values.get('device', ''))
    return DiagnosticStatus(
        level=level, name=name, message=message, hardware_id=device, values=pairs
    )


def _array(stamp_ns: int, statuses: Sequence[DiagnosticStatus]) -> DiagnosticArray:
    array = DiagnosticArray(status=statuses)
    array.header.stamp = stamp_message(stamp_ns)
    return array
