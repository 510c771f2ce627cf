"""The references of the scale: subscribes to them, and reports what is missing."""

from __future__ import annotations

from collections.abc import Iterator
import math
import re
import time
from typing import TYPE_CHECKING

from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.depth_source import DepthSource
from flashdepth_ros.node.height_source import HeightSource
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.points_source import PointsSource
from flashdepth_ros.ros.transport import Transport
from flashdepth_ros.runtime import DepthFrame
from flashdepth_ros.runtime.scale import FrameView, Metres, OnlineScale

if TYPE_CHECKING:
    from flashdepth_ros.node.outputs import Source

AnySource = DepthSource | PointsSource | HeightSource
SOURCES: dict[str, type[AnySource]] = {
    'depth': DepthSource,
    'points': PointsSource,
    'height': HeightSource,
}
_NONE = 'none'


class ScaleSubscriber:
    """Gives each frame of one camera its metres, from the source that `scale.source` names."""

    def __init__(self, scope: CameraScope, transport: Transport) -> None:
        self._scope, self._transport = scope, transport
        self._parameters = Parameters()
        self._online = OnlineScale()
        self._source: AnySource | None = None
        # Since when frames have come without a pause, and the last one, by `time.monotonic`.
        self._since_s = self._observed_s = -math.inf
        self._warned: set[str] = set()

    @property
    def topics(self) -> tuple[str, ...]:
        """The resolved names of the topics of all sources."""
        names = (name for kind in SOURCES.values() for name in kind.topics)
        return tuple(self._scope.resolve(name) for name in names)

    def open(self, parameters: Parameters) -> None:
        """Begin without a scale, and subscribe to the topics of the source."""
        self.close()
        self._parameters, self._online = parameters, OnlineScale()
        self._since_s = self._observed_s = -math.inf
        if parameters.scale_source in SOURCES and parameters.depth_output != 'relative':
            kind = SOURCES[parameters.scale_source]
            self._source = kind(self._scope, self._transport, self._online)

    def close(self) -> None:
        """Remove the subscriptions."""
        if self._source is not None:
            self._source.close()
        self._source = None

    def observe(self, frame: DepthFrame, image: Source, parameters: Parameters) -> Metres:
        """Return what gives the metres of a frame, in the order of the stream."""
        self._parameters, source = parameters, self._source
        if source is None:
            return Metres(parameters.start_scale)
        now_s = time.monotonic()
        if now_s - self._observed_s > parameters.scale_timeout:
            self._since_s = now_s
        self._observed_s = now_s
        view = FrameView.of(frame.inverse_depth, image.stamp_ns, image.frame_id, image.camera)
        if isinstance(source, HeightSource):
            source.refer(view, parameters)
        return self._online.observe(view, bool(frame.reset_reason), parameters)

    @property
    def diagnostics(self) -> dict[str, str]:
        """The values for `/diagnostics`."""
        parameters, status = self._parameters, self._online.status
        source = _NONE if self._source is None else parameters.scale_source
        scale = status.scale or parameters.start_scale
        values = {
            'scale_source': source,
            'scale': 'unknown' if scale is None else f'{scale.factor:.4f}',
        }
        if source == _NONE:
            return values
        values['scale_age_s'] = f'{status.age_s:.1f}'
        values['scale_jumps'] = str(status.jumps)
        values['scale_state'] = '; '.join(self.warnings) or status.problem or 'ok'
        if status.fit is not None:
            values['scale_shift'] = f'{0.0 if scale is None else scale.shift:.5f}'
            values['scale_residual'] = f'{status.fit.residual:.4f}'
            values['scale_inliers'] = f'{status.fit.inliers:.3f}'
        return values

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why a source gives no scale, or no new one for `scale.timeout`; empty if it does."""
        return tuple(self._warnings())

    @property
    def description(self) -> str:
        """Where metres come from, in words; '' if from nothing but `depth.scale`."""
        if self._source is None:
            return ''
        known = self._online.status.scale is not None
        start = self._parameters.start_scale
        by = f'by scale.source {self._parameters.scale_source}'
        if known:
            return by
        return f'not yet {by}' if start is None else f'by depth.scale, not yet {by}'

    def log(self) -> None:
        """Log each kind of warning once."""
        for text in self.warnings:
            kind = re.sub('[0-9.]+', '', text)
            if kind not in self._warned:
                self._warned.add(kind)
                self._scope.logger.warning(text)

    def _warnings(self) -> Iterator[str]:
        timeout_s, status = self._parameters.scale_timeout, self._online.status
        source = self._source
        if source is None or self._observed_s == -math.inf:
            return
        waited_s = time.monotonic() - self._since_s
        if status.age_s <= timeout_s or waited_s <= timeout_s:
            return
        causes = (source.silence(timeout_s), status.problem, source.problem)
        cause = next(filter(None, causes), 'no reference has been used')
        if status.fit is None:
            missing = (
                'no depth in metres'
                if self._parameters.start_scale is None
                else (f'depth.scale {self._parameters.depth_scale:g} is used')
            )
            yield f'no scale yet, {missing}: {cause}'
        else:
            yield f'the scale is {status.age_s:.0f} s old and kept: {cause}'
