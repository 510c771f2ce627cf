"""The scale of the depth of a recording, from a reference in it, as in the live node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from flashdepth_ros.bags.find import COMPRESSED_IMAGE, RAW_IMAGE, find_depth_topic, find_topic
from flashdepth_ros.bags.frames import Frame
from flashdepth_ros.bags.reader import BagReader, Record, Topic
from flashdepth_ros.bags.transforms import (
    header_stamp_ns,
    is_static,
    transform_topics,
    transforms_of,
)
from flashdepth_ros.bags.view import View
from flashdepth_ros.camera.lens import Lens
from flashdepth_ros.camera.transform_buffer import TransformBuffer
from flashdepth_ros.errors import BagError, ConfigError, InputError
from flashdepth_ros.messages import read_depth, read_points, read_scan
from flashdepth_ros.runtime import DepthFrame
from flashdepth_ros.runtime.scale import (
    DepthReference,
    FrameView,
    GroundObserver,
    Metres,
    OnlineScale,
    PointReference,
    Reference,
    Samples,
    ScaleSettings,
)

POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'
LASER_SCAN = 'sensor_msgs/msg/LaserScan'
SOURCES = {
    RAW_IMAGE: 'depth',
    COMPRESSED_IMAGE: 'depth',
    POINT_CLOUD: 'points',
    LASER_SCAN: 'points',
}
"""The value of `scale.source` for the type of a topic."""


class RecordedScale:
    """
    Gives the frames of a recording their metres; each frame knows only what was recorded before.

    :param bag: an open bag that has no other reader.
    :param settings: `scale.source` is that of the topic, or, if it is not none, selects it.
    :param topic: the reference; '': the only one of the type that `scale.source` needs.
    :param used: called with the stamp and the samples of each reference that is compared.
    :raises BagError: there is no such topic, or several match.
    :raises ConfigError: the topic is not what `scale.source` needs.
    """

    def __init__(
        self,
        bag: BagReader,
        settings: ScaleSettings,
        topic: str = '',
        used: Callable[[int, Samples], None] = lambda *_: None,
    ) -> None:
        self.topic = find_reference(bag, settings, topic)
        source = 'height' if self.topic is None else SOURCES[self.topic.type]
        self.settings = replace(settings, scale_source=source)
        self.online = OnlineScale(used)
        self.unscaled = 0
        """Number of frames before the first scale that `scaled_inverse_depths` left out."""
        self._bag = bag
        self._transforms = TransformBuffer()
        self._ground = GroundObserver(self._transforms)
        self._read = None if self.topic is None else self._reader(self.topic)
        names = [*([] if self.topic is None else [self.topic.name]), *transform_topics(bag)]
        self._records = bag.records(*names) if names else iter(())
        self._next = self._advance()

    def observe(self, frame: Frame, depth: DepthFrame) -> Metres:
        """Return what gives the metres of a frame, in the order of the recording."""
        while self._next is not None and self._next.stamp_ns <= frame.recorded_ns:
            self._refer(self._next)
            self._next = self._advance()
        view = FrameView.of(depth.inverse_depth, frame.stamp_ns, frame.frame_id, frame.camera)
        if self.topic is None and (ground := self._ground.reference(view, self.settings)):
            self.online.refer(ground)
        return self.online.observe(view, bool(depth.reset_reason), self.settings)

    @property
    def name(self) -> str:
        """The name of the topic, or what else gives the scale."""
        return 'the ground' if self.topic is None else self.topic.name

    @property
    def summary(self) -> str:
        """What was fitted, in words; '' if nothing was."""
        status = self.online.status
        if status.scale is None:
            return ''
        shift = f' and shift {status.scale.shift:.4g}' if status.scale.shift else ''
        left = f', {self.unscaled} frames before the first one left out' if self.unscaled else ''
        return f'scale fitted to {self.name}, last {status.scale.factor:.4g}{shift}{left}'

    @property
    def problem(self) -> str:
        """Why no scale was fitted; '' if one was."""
        status = self.online.status
        if status.fit is not None:
            return ''
        cause = status.problem or 'no reference was recorded before the last image'
        return f'no scale was fitted to {self.name}: {cause}'

    def _refer(self, record: Record) -> None:
        try:
            message = self._bag.message(record)
            if self._read is not None and record.topic == self.name:
                self.online.refer(self._read(message))
                return
            for parent, child, stamp_ns, pose in transforms_of(message):
                self._transforms.add(parent, child, stamp_ns, pose, is_static(record.topic))
        except (BagError, InputError) as error:
            self.online.refuse(str(error))

    def _advance(self) -> Record | None:
        try:
            return next(self._records, None)
        except BagError:
            # Reading the images finds the same damage and reports it.
            return None

    def _reader(self, topic: Topic) -> Callable[[Any], Reference]:
        if self.settings.scale_source == 'depth':
            return _depth_reader(self._bag, topic)
        read_points_of = read_scan if topic.type == LASER_SCAN else read_points

        def read(message: Any) -> PointReference:
            points, frame_id = read_points_of(message), message.header.frame_id
            return PointReference.of(points, header_stamp_ns(message), frame_id, self._transforms)

        return read


def find_reference(bag: BagReader, settings: ScaleSettings, name: str = '') -> Topic | None:
    """
    Return the topic of the reference by name, or the only one for `scale.source`; None: no topic.

    :raises BagError: there is no such topic, or several match.
    :raises ConfigError: the named topic is not what `scale.source` needs.
    """
    wanted = settings.scale_source
    if name:
        topic = bag.topic(name)
    elif wanted == 'height':
        return None
    elif wanted == 'points':
        topic = find_topic(bag, (POINT_CLOUD, LASER_SCAN), option='--scale-from')
    else:
        topic = find_depth_topic(bag)
    source = SOURCES.get(topic.type)
    if source is None or wanted not in ('none', source):
        expected = ', '.join(kind for kind, each in SOURCES.items() if wanted in ('none', each))
        raise ConfigError(
            f'{topic} cannot give the scale with scale.source {wanted}; expected '
            f'{f"a topic of type {expected}" if expected else "no topic"}'
        )
    return topic


def is_scaled(settings: ScaleSettings, topic: str) -> bool:
    """Return whether a scale is wanted, by `--scale-from` or `scale.source`."""
    return bool(topic) or settings.scale_source != 'none'


def scaled_inverse_depths(
    frames: Iterable[tuple[Frame, DepthFrame]], scale: RecordedScale
) -> Iterator[tuple[Frame, DepthFrame]]:
    """Yield the frames that have metres, with their inverse depth in 1/m."""
    for frame, depth in frames:
        metres = scale.observe(frame, depth)
        if metres.scale is not None:
            inverse_depth = metres.scale.invert(depth.inverse_depth)
            yield frame, replace(depth, inverse_depth=inverse_depth)
        else:
            scale.unscaled += 1


def _depth_reader(bag: BagReader, topic: Topic) -> Callable[[Any], Reference]:
    camera = View.of_depth(bag, topic).camera
    pinhole = None if camera is None else camera.with_lens(Lens())

    def read(message: Any) -> DepthReference:
        depth, frame_id = read_depth(message), message.header.frame_id
        return DepthReference.of(depth, header_stamp_ns(message), frame_id, pinhole)

    return read
