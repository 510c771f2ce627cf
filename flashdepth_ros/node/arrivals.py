"""Whether messages arrive on topics of which one is enough, and if not, why."""

from __future__ import annotations

import time

from rclpy.node import Node


class Arrivals:
    """
    Records when the last message arrived.

    :param topics: the resolved names, the usual one first.
    :param name: what to remap to another topic.
    """

    def __init__(self, node: Node, topics: tuple[str, ...], name: str) -> None:
        self._node, self._topics, self._name = node, topics, name
        self._last_s = -float('inf')

    def count(self) -> None:
        """Record that a message has arrived."""
        self._last_s = time.monotonic()

    def silence(self, timeout_s: float) -> str:
        """Return why nothing has arrived for this time; '' if something has."""
        if time.monotonic() - self._last_s <= timeout_s:
            return ''
        counts = {topic: self._node.count_publishers(topic) for topic in self._topics}
        for topic, count in counts.items():
            if count:
                return f'nothing arrives on {topic}, which has {count} publisher(s)'
        return f'no publisher on {" or ".join(self._topics)}: remap {self._name}'
