"""What the demo plays: a recording and the topics in it that matter."""

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
    A recording with images and, where there are any, their camera_info and true depth.

    :param stamps_ns: of the images' headers.
    """

    bag: Path
    image: Topic
    camera_info: Topic | None
    truth: Topic | None
    stamps_ns: tuple[int, ...]

    @property
    def compressed(self) -> bool:
        """Whether the images are sensor_msgs/CompressedImage."""
        return self.image.type == COMPRESSED_IMAGE

    @property
    def rate_hz(self) -> float:
        """Return how many images a second were recorded, 1 where there are too few to tell."""
        span_ns = max(self.stamps_ns) - min(self.stamps_ns)
        return (len(self.stamps_ns) - 1) * 1e9 / span_ns if span_ns else 1.0

    @property
    def played_topics(self) -> list[str]:
        """Return the names of the topics that the depth node listens to."""
        return [topic.name for topic in (self.image, self.camera_info) if topic is not None]


def open_source(path: Path, topic: str = '') -> Source:
    """
    Look a recording through.

    :param topic: of the images, where the recording has several.
    :raises BagError: it cannot be read, or has no images, or several topics of them.
    """
    with BagReader(path) as bag:
        image = find_image_topic(bag, topic)
        stamps_ns = Track(bag, image.name).stamps_ns
        return Source(path, image, find_camera_info_topic(bag, image), _truth(bag), stamps_ns)


def _truth(bag: BagReader) -> Topic | None:
    try:
        return find_depth_topic(bag)
    except BagError:
        return None
