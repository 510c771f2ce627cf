"""
Sends and receives images and clouds, as serialised bytes if possible, else as ROS messages.

``choose_transport`` decides which, by comparing this package's CDR with the middleware's.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from builtin_interfaces.msg import Time
import numpy as np
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image, PointCloud2, PointField

from flashdepth_ros.errors import InputError
from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.stamps import SECOND_NS, to_nanoseconds
from flashdepth_ros.ros.wiring import Input, create_input

AnyImage = cdr.ImageView | cdr.CompressedImageView
_SEQUENCE_UNSUPPORTED = 2**64 - 1


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """What the middleware reports about one message; None if it does not report a value."""

    source_timestamp_ns: int | None = None
    received_timestamp_ns: int | None = None
    publication_sequence: int | None = None
    publisher_gid: bytes | None = None

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> MessageInfo:
        """Return the info that rclpy passes to a callback; its keys depend on the distribution."""
        sequence = info.get('publication_sequence_number')
        gid = info.get('publisher_gid')
        if isinstance(gid, Mapping):
            gid = gid.get('data')
        return cls(
            # The middleware writes 0 for an unknown time.
            source_timestamp_ns=info.get('source_timestamp') or None,
            received_timestamp_ns=info.get('received_timestamp') or None,
            publication_sequence=None if sequence == _SEQUENCE_UNSUPPORTED else sequence,
            publisher_gid=None if gid is None else bytes(gid),
        )


@dataclass(frozen=True)
class Transport:
    """Publishes and receives large messages, as CDR bytes if ``raw``, else as ROS messages."""

    raw: bool

    def subscribe(
        self,
        node: Node,
        what: Input,
        on_image: Callable[[AnyImage, MessageInfo], None],
        on_bad: Callable[[InputError, MessageInfo], None],
    ) -> Subscription:
        """Subscribe to images; for an unreadable one call ``on_bad`` instead of raising."""
        read = _READERS[self.raw, what.message_type]

        def receive(message: Any, info: MessageInfo) -> None:
            try:
                image = read(message)
            except InputError as error:
                on_bad(error, info)
            else:
                on_image(image, info)

        return create_input(node, replace(what, raw=self.raw), _with_info(receive))

    def publish_image(self, publisher: Publisher, image: cdr.ImageView) -> None:
        """Publish an image with a sensor_msgs/Image publisher."""
        publisher.publish(cdr.write_image(image) if self.raw else image_message(image))

    def publish_cloud(self, publisher: Publisher, cloud: cdr.PointCloud) -> None:
        """Publish a cloud with a sensor_msgs/PointCloud2 publisher."""
        publisher.publish(cdr.write_point_cloud(cloud) if self.raw else cloud_message(cloud))


def choose_transport(logger: RcutilsLogger) -> Transport:
    """Return the raw transport; without plain CDR the message transport, with a warning."""
    raw = _cdr_agrees()
    if not raw:
        logger.warning(
            'this middleware does not serialise as plain CDR: images are sent and received as ROS '
            'messages, which copies each one several times'
        )
    return Transport(raw)


def stamp_message(stamp_ns: int) -> Time:
    """Return the message of a stamp; rclpy's own conversion refuses negative ones."""
    seconds, nanoseconds = divmod(stamp_ns, SECOND_NS)
    return Time(sec=seconds, nanosec=nanoseconds)


def image_message(image: cdr.ImageView) -> Image:
    """Return the ROS message of an image."""
    message = Image(
        height=image.height,
        width=image.width,
        encoding=image.encoding,
        is_bigendian=int(image.is_bigendian),
        step=image.step,
    )
    _put_header(message, image.stamp_ns, image.frame_id)
    message.data = _octets(image.data)
    return message


def cloud_message(cloud: cdr.PointCloud) -> PointCloud2:
    """
    Return the ROS message of a cloud.

    :raises InputError: the points are not a C-contiguous float32 (H, W, number of fields).
    """
    height, width, point_bytes = cdr.cloud_layout(cloud)
    message = PointCloud2(
        height=height,
        width=width,
        is_bigendian=cdr.is_bigendian(cloud.points),
        point_step=point_bytes,
        row_step=point_bytes * width,
        is_dense=False,
    )
    message.fields = [
        PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, name in enumerate(cloud.fields)
    ]
    _put_header(message, cloud.stamp_ns, cloud.frame_id)
    message.data = _octets(cdr.bytes_of(cloud.points))
    return message


def compressed_message(image: cdr.CompressedImageView) -> CompressedImage:
    """Return the ROS message of a compressed image."""
    message = CompressedImage(format=image.format)
    _put_header(message, image.stamp_ns, image.frame_id)
    message.data = _octets(image.data)
    return message


def _image_view(message: Image) -> cdr.ImageView:
    return cdr.ImageView(
        stamp_ns=_stamp_ns(message),
        frame_id=message.header.frame_id,
        height=message.height,
        width=message.width,
        encoding=message.encoding,
        is_bigendian=bool(message.is_bigendian),
        step=message.step,
        data=memoryview(message.data),
    )


def _compressed_view(message: CompressedImage) -> cdr.CompressedImageView:
    return cdr.CompressedImageView(
        _stamp_ns(message), message.header.frame_id, message.format, memoryview(message.data)
    )


_READERS: dict[tuple[bool, type], Callable[[Any], AnyImage]] = {
    (True, Image): cdr.read_image,
    (True, CompressedImage): cdr.read_compressed_image,
    (False, Image): _image_view,
    (False, CompressedImage): _compressed_view,
}


def _octets(data: memoryview) -> array[int]:
    """Return a copy as `array`, the only type whose bytes rclpy does not check one by one."""
    octets = array('B')
    octets.frombytes(data)
    return octets


def _stamp_ns(message: Any) -> int:
    stamp = message.header.stamp
    return to_nanoseconds(stamp.sec, stamp.nanosec)


def _put_header(message: Any, stamp_ns: int, frame_id: str) -> None:
    message.header.stamp = stamp_message(stamp_ns)
    message.header.frame_id = frame_id


def _with_info(receive: Callable[[Any, MessageInfo], None]) -> Callable[..., None]:
    """Return a callback for rclpy: with message info, or on Humble, which has none, without."""
    if hasattr(Subscription, 'CallbackType'):
        return lambda message, info: receive(message, MessageInfo.of(info))
    return lambda message: receive(message, MessageInfo())


def _cdr_agrees() -> bool:
    """Return whether the middleware and this package serialise a small image in the same way."""
    pixels = np.arange(15, dtype=np.uint8).reshape(1, 5, 3)
    image = cdr.image_of(1_000_000_007, 'odd', 'rgb8', pixels)
    message = image_message(image)
    theirs, ours = serialize_message(message), cdr.write_image(image)
    if theirs[:2] != ours[:2]:
        return False
    try:
        same_view = cdr.read_image(theirs) == image
    except InputError:
        return False
    return same_view and deserialize_message(ours, Image) == message
