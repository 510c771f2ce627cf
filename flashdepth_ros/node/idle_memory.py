"""Returns freed memory to the system when that does not slow the node down; no ROS."""

from __future__ import annotations

from collections.abc import Callable

from flashdepth_ros.runtime.memory import return_freed_memory

_PAUSE_S = 3.0


class IdleMemory:
    """
    Returns memory once in each pause, and once when another engine runs the network.

    An engine that only stands in for another one leaves much freed memory behind.

    :param give_back: Return the memory.
    """

    def __init__(self, give_back: Callable[[], None] = return_freed_memory) -> None:
        self._give_back = give_back
        self._engine = ''
        self._last_image_s = 0.0

    def check(self, engine: str, last_image_s: float, now_s: float) -> None:
        """
        Return the memory if it is time; call this about once a second.

        :param engine: the name of the engine that ran the last image.
        :param last_image_s: when that was published, 0 before the first one; as `now_s`.
        """
        pauses = now_s - last_image_s > _PAUSE_S and last_image_s != self._last_image_s
        if pauses:
            self._last_image_s = last_image_s
        if pauses or engine != self._engine:
            self._engine = engine
            self._give_back()
