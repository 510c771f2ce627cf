"""The recording that the demo plays, and its image, camera_info and depth topics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flashdepth_ros.bags import BagReader, Topic, find_depth_topic, find_image_topic
from flashdepth_ros.bags.find import COMPRESSED_IMAGE, find_camera_info_topic
from flashdepth_ros.bags.join import Track
from flashdepth_ros.errors import BagError


@dataclass(frozen=True)
class Source:
    """
    A recording with images and, if present, their camera_info and true depth.

    :param stamps_ns: the header stamps of the images.
    """

    bag: Path
    image: Topic
    camera_info: Topic | None
    true_depth: Topic | None
    stamps_ns: tuple[int, ...]

    @property
    def compressed(self) -> bool:
        """Whether the images are sensor_msgs/CompressedImage."""
        return self.image.type == COMPRESSED_IMAGE

    @property
    def rate_hz(self) -> float:
        """Return the rate of the images; 1 if all stamps are the same."""
        span_ns = max(self.stamps_ns) - min(self.stamps_ns)
        return (len(self.stamps_ns) - 1) * 1e9 / span_ns if span_ns else 1.0

    @property
    def played_topics(self) -> list[str]:
        """Return the names of the topics that the depth node subscribes to."""
        return [topic.name for topic in (self.image, self.camera_info) if topic is not None]


def open_source(path: Path, topic: str = '') -> Source:
    """
    Find the topics of a recording.

    :param topic: the image topic; needed if the recording has several.
    :raises BagError: the recording cannot be read, or has no image topic, or several.
    """
    with BagReader(path) as bag:
        image = find_image_topic(bag, topic)
        stamps_ns = Track(bag, image.name).stamps_ns
        camera_info = find_camera_info_topic(bag, image)
        return Source(path, image, camera_info, _find_true_depth(bag), stamps_ns)


def _find_true_depth(bag: BagReader) -> Topic | None:
    try:
        return find_depth_topic(bag)
    except BagError:
        return None
