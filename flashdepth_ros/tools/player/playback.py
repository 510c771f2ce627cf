"""Publish a recording on ROS topics with its original timing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
import time

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from flashdepth_ros.bags import BagReader, Record
from flashdepth_ros.errors import ConfigError
from flashdepth_ros.tools.player.publishers import CLOCK_TOPIC, Outputs, create_publishers
from flashdepth_ros.tools.player.waiting import wait_for_subscribers, wait_until_active

CLOCK_PERIOD_S = 0.025
ACKNOWLEDGE_S = 5.0


@dataclass(frozen=True)
class PlayOptions:
    """
    The options of `play`.

    :param topics: the topics to play; empty: all.
    :param loop: repeat until stopped; stamps go back at each repetition.
    :param wait_node: a lifecycle node to wait for until it is active, without a limit; '': none.
    :param wait_s: how long to wait then, before the first message, until there are subscribers.
    :param wait_topics: the topics to wait for; empty: all that are played.
    """

    bag: Path
    topics: tuple[str, ...] = ()
    outputs: Outputs = field(default_factory=Outputs)
    rate: float = 1.0
    loop: bool = False
    wait_node: str = ''
    wait_s: float = 0.0
    wait_topics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Reject a rate that is not positive."""
        if not self.rate > 0:
            raise ConfigError(f'rate {self.rate} is not possible; give a factor above 0')


def play(options: PlayOptions, node: Node, stop: Event | None = None) -> int:
    """
    Publish the bag's serialized messages unchanged and return their number.

    Block until the last message is published and acknowledged, or until `stop` is set. Leave out
    topics that cannot be published, with one warning for each reason.

    :raises BagError: the bag cannot be read, or no topic in it can be played.
    """
    stop = stop or Event()
    outputs, clock = options.outputs, None
    with BagReader(options.bag) as bag:
        outputs.check(bag)
        played, awaited = (_names(bag, names) for names in (options.topics, options.wait_topics))
        topics = [topic for topic in bag.topics if topic.name in played]
        publishers = create_publishers(bag, topics, outputs, node)
        wait_for = [each for (name, _), each in publishers.items() if name in awaited]
        if options.wait_node:
            wait_until_active(options.wait_node, node, stop)
        wait_for_subscribers(wait_for, options.wait_s, node, stop)
        if outputs.clock:
            clock = node.create_publisher(Clock, outputs.name(CLOCK_TOPIC), 10)
        count = 0
        names = {name for name, _ in publishers}
        for record in _paced_records(bag, names, options, _Pacer(options.rate, clock, stop)):
            if publisher := publishers.get((record.topic, record.type)):
                publisher.publish(record.data)
                count += 1
    for publisher in publishers.values():
        publisher.wait_for_all_acked(Duration(seconds=0.0 if stop.is_set() else ACKNOWLEDGE_S))
    return count


class _Pacer:
    """Waits until a recorded stamp is due, and publishes /clock meanwhile."""

    def __init__(self, rate: float, clock: Publisher | None, stop: Event) -> None:
        self._rate, self._clock, self._stop = rate, clock, stop
        self._origin: tuple[float, int] | None = None

    def restart(self) -> None:
        """Make the next stamp due at once."""
        self._origin = None

    def wait(self, stamp_ns: int) -> bool:
        """Wait until the stamp is due; return False if stopped."""
        if self._origin is None:
            self._origin = time.monotonic(), stamp_ns
        started_s, first_ns = self._origin
        due_s = started_s + (stamp_ns - first_ns) * 1e-9 / self._rate
        while (left_s := due_s - time.monotonic()) > 0 and not self._stop.is_set():
            self._publish_clock(stamp_ns - int(left_s * self._rate * 1e9))
            self._stop.wait(min(left_s, CLOCK_PERIOD_S) if self._clock else left_s)
        self._publish_clock(stamp_ns)
        return not self._stop.is_set()

    def _publish_clock(self, now_ns: int) -> None:
        if self._clock is not None:
            self._clock.publish(Clock(clock=Time(nanoseconds=now_ns).to_msg()))


def _names(bag: BagReader, names: Iterable[str]) -> set[str]:
    """Return the recorded names of these topics, of all if none is given."""
    return {bag.topic(name).name for name in names} or {topic.name for topic in bag.topics}


def _paced_records(
    bag: BagReader, topics: set[str], options: PlayOptions, pacer: _Pacer
) -> Iterator[Record]:
    """Yield each record when it is due; with `loop`, repeat until stopped."""
    count = sum(topic.count for topic in bag.topics if topic.name in topics)
    # Between two repetitions, wait for the mean time between messages.
    step_ns = bag.duration_ns // max(count - 1, 1) or 10**9
    last_ns = None
    while True:
        for record in bag.records(*topics):
            if not pacer.wait(record.stamp_ns):
                return
            yield record
            last_ns = record.stamp_ns
        if not options.loop or last_ns is None or not pacer.wait(last_ns + step_ns):
            return
        pacer.restart()
