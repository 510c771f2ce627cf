"""The names of one camera of the node: its topics, its parameters, its logger."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node

_PRIVATE = '~/'


@dataclass(frozen=True)
class CameraScope:
    """
    Puts the name of a camera before names of the node.

    :param camera: '' for the only camera: then its names are the node's.
    """

    node: Node
    camera: str = ''

    def topic(self, name: str) -> str:
        """Return the camera's topic or service: `front/image` for `image`, `~/front/reset`."""
        if not self.camera:
            return name
        if name.startswith(_PRIVATE):
            return f'{_PRIVATE}{self.camera}/{name.removeprefix(_PRIVATE)}'
        return f'{self.camera}/{name}'

    def resolve(self, name: str) -> str:
        """Return the resolved name of a topic of the camera."""
        return self.node.resolve_topic_name(self.topic(name))

    def is_remapped(self, name: str) -> bool:
        """Return whether a relative topic of the camera is remapped."""
        unmapped = f'{self.node.get_namespace().rstrip("/")}/{self.topic(name)}'
        return self.resolve(name) != unmapped

    def transport_topic(self, base: str, transport: str) -> str:
        """
        Return the topic of an image transport: under the resolved base, unless it is remapped.

        :param base: the relative name of the raw topic.
        """
        name = f'{base}/{transport}'
        if self.is_remapped(name):
            return self.resolve(name)
        return f'{self.resolve(base)}/{transport}'

    def parameter(self, name: str) -> str:
        """Return the name of the camera's own parameter: `front.depth.scale`."""
        return f'{self.camera}.{name}' if self.camera else name

    @cached_property
    def logger(self) -> RcutilsLogger:
        """The logger of the camera's messages."""
        logger = self.node.get_logger()
        return logger.get_child(self.camera) if self.camera else logger

    @property
    def full_name(self) -> str:
        """The full name of the node, followed by the camera."""
        name = self.node.get_fully_qualified_name()
        return f'{name}/{self.camera}' if self.camera else name
