"""The topics of a camera that the node subscribes to: chosen by name and by what is published."""

from __future__ import annotations

from dataclasses import dataclass

from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.ros.image_topics import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    IMAGE,
    camera_info_beside,
    published_types,
)


@dataclass(frozen=True)
class ImageTopic:
    """A topic of raw or of compressed images."""

    name: str
    """The resolved name."""
    compressed: bool

    def is_published(self, scope: CameraScope) -> bool:
        """Return whether there is a publisher of this type."""
        kind = COMPRESSED_IMAGE if self.compressed else IMAGE
        return kind in published_types(scope.node, self.name)


def raw_topic(scope: CameraScope) -> ImageTopic:
    """Return the topic of raw images."""
    return ImageTopic(scope.resolve('image'), compressed=False)


def compressed_topic(scope: CameraScope) -> ImageTopic:
    """Return that of compressed images: under the resolved `image`, unless it is remapped."""
    return ImageTopic(scope.transport_topic('image', 'compressed'), compressed=True)


def published_topic(scope: CameraScope) -> ImageTopic | None:
    """Return the topic on which images are published, better raw ones; None: on neither."""
    # Users also give the name of the compressed topic for `image`.
    literal = ImageTopic(scope.resolve('image'), compressed=True)
    topics = (raw_topic(scope), compressed_topic(scope), literal)
    return next((topic for topic in topics if topic.is_published(scope)), None)


def camera_info_topic(scope: CameraScope) -> str:
    """Return the resolved `camera_info`; if it is not remapped, better the one beside `image`."""
    own = scope.resolve('camera_info')
    beside = camera_info_beside(scope.resolve('image'))
    if scope.is_remapped('camera_info') or (
        CAMERA_INFO in published_types(scope.node, own)
        and CAMERA_INFO not in published_types(scope.node, beside)
    ):
        return own
    return beside
