"""The recording that the demo plays, and its image, camera_info and depth topics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flashdepth_ros.bags import BagReader, Topic, find_depth_topic
from flashdepth_ros.bags.topics import DepthInputs, find_inputs
from flashdepth_ros.bags.track import Track
from flashdepth_ros.errors import BagError


@dataclass(frozen=True)
class Source:
    """
    A recording with images and, if present, their camera_info and true depth.

    :param stamps_ns: the header stamps of the images.
    """

    bag: Path
    inputs: DepthInputs
    true_depth: Topic | None
    stamps_ns: tuple[int, ...]

    @property
    def image(self) -> Topic:
        """Return the topic of the images."""
        return self.inputs.image

    @property
    def rate_hz(self) -> float:
        """Return the rate of the images; 1 if all stamps are the same."""
        span_ns = max(self.stamps_ns) - min(self.stamps_ns)
        return (len(self.stamps_ns) - 1) * 1e9 / span_ns if span_ns else 1.0


def open_source(path: Path, topic: str = '') -> Source:
    """
    Find the topics of a recording.

    :param topic: the image topic; needed if the recording has several.
    :raises BagError: the recording cannot be read, or has no image topic, or several.
    """
    with BagReader(path) as bag:
        inputs = find_inputs(bag, topic)
        stamps_ns = Track(bag, inputs.image.name).stamps_ns
        if not stamps_ns:
            raise BagError(f'{path}: no message on {inputs.image} has a valid header')
        return Source(path, inputs, _find_true_depth(bag), stamps_ns)


def _find_true_depth(bag: BagReader) -> Topic | None:
    try:
        return find_depth_topic(bag)
    except BagError:
        return None
