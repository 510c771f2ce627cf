"""Publish a recording on ROS topics with its original timing: `flashdepth play`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
import sys
from threading import Event
import time
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from flashdepth_ros.bags import BagReader, Record, Topic
from flashdepth_ros.errors import BagError, ConfigError, FlashDepthError

CLOCK_PERIOD_S = 0.025
POLL_S = 0.02
# The publisher knows of a match before the subscriber does, which until then receives nothing.
SETTLE_S = 0.5
ACKNOWLEDGE_S = 5.0


@dataclass(frozen=True)
class PlayOptions:
    """
    The options of `play`.

    `topics`: empty means all. `wait_s`: how long to wait, before the first message, until every
    topic has a subscriber. `loop`: repeat until stopped; stamps go back at each repetition.
    """

    bag: Path
    topics: tuple[str, ...] = ()
    rate: float = 1.0
    loop: bool = False
    clock: bool = False
    wait_s: float = 0.0
    best_effort: bool = False

    def __post_init__(self) -> None:
        """Reject a rate that is not positive."""
        if not self.rate > 0:
            raise ConfigError(f'rate {self.rate} is not possible; give a factor above 0')


def play(options: PlayOptions, node: Node, stop: Event | None = None) -> int:
    """
    Publish the bag's serialized messages unchanged and return their number.

    Block until the last message is published and acknowledged, or until `stop` is set. Skip topics
    whose message package is not installed, with one warning.

    :raises BagError: the bag cannot be read, or no topic in it can be played.
    """
    stop = stop or Event()
    with BagReader(options.bag) as bag:
        publishers = _publishers(bag, options, node)
        _await_subscribers(publishers, options.wait_s, node, stop)
        clock = node.create_publisher(Clock, '/clock', 10) if options.clock else None
        count = 0
        pacer = _Pacer(options.rate, clock, stop)
        for record in _paced_records(bag, list(publishers), options, pacer):
            publishers[record.topic].publish(record.data)
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


def _paced_records(
    bag: BagReader, topics: list[str], options: PlayOptions, pacer: _Pacer
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


def _publishers(bag: BagReader, options: PlayOptions, node: Node) -> dict[str, Publisher]:
    topics = [bag.topic(name) for name in options.topics] or list(bag.topics)
    classes = {topic: _message_class(topic.type) for topic in topics}
    if unknown := [topic for topic in topics if classes[topic] is None]:
        names = ', '.join(f'{topic.name} ({topic.type})' for topic in unknown)
        node.get_logger().warning(f'not played, their message packages are not installed: {names}')
    if len(unknown) == len(topics):
        raise BagError(f'{bag.path}: no topic can be played; install their message packages')
    return {
        topic.name: node.create_publisher(message_class, topic.name, _qos(topic, options))
        for topic, message_class in classes.items()
        if message_class is not None
    }


def _qos(topic: Topic, options: PlayOptions) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=10,
        reliability=ReliabilityPolicy.BEST_EFFORT
        if options.best_effort
        else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL
        if topic.latched
        else DurabilityPolicy.VOLATILE,
    )


def _message_class(type_name: str) -> Any | None:
    """Return the class of 'package/msg/Name', or None if the package is not installed."""
    module, _, name = type_name.replace('/', '.').rpartition('.')
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        return None


def _await_subscribers(
    publishers: dict[str, Publisher], wait_s: float, node: Node, stop: Event
) -> None:
    end_s = time.monotonic() + wait_s
    while wait_s > 0 and not stop.is_set():
        unmatched = [name for name, p in publishers.items() if not p.get_subscription_count()]
        if not unmatched:
            stop.wait(SETTLE_S)
            return
        if time.monotonic() > end_s:
            node.get_logger().warning(f'no subscriber after {wait_s:g} s: {", ".join(unmatched)}')
            return
        stop.wait(POLL_S)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    parser.add_argument('bag', type=Path, help='rosbag2 folder, .mcap, .db3, or ROS 1 .bag')
    parser.add_argument('--topics', nargs='+', default=[], metavar='TOPIC', help='play only these')
    parser.add_argument('--rate', type=float, default=1.0, help='speed factor (default 1)')
    parser.add_argument(
        '--loop', action='store_true', help='repeat until stopped; stamps go back each time'
    )
    parser.add_argument('--clock', action='store_true', help='publish recorded time on /clock')
    parser.add_argument(
        '--wait',
        type=float,
        default=0.0,
        metavar='S',
        help='wait up to S seconds until all topics have subscribers (default 0)',
    )
    parser.add_argument(
        '--best-effort',
        action='store_true',
        help='publish with best-effort reliability (default: reliable)',
    )
    parser.add_argument('--remap', nargs='+', default=[], metavar='FROM:=TO', help='rename topics')


def run(arguments: argparse.Namespace) -> int:
    """Play the bag and return 0, also after Ctrl-C."""
    options = PlayOptions(
        bag=arguments.bag,
        topics=tuple(arguments.topics),
        rate=arguments.rate,
        loop=arguments.loop,
        clock=arguments.clock,
        wait_s=arguments.wait,
        best_effort=arguments.best_effort,
    )
    if wrong := [rule for rule in arguments.remap if ':=' not in rule]:
        raise ConfigError(f'remap {wrong[0]!r} is not a remap rule; write it as /from:=/to')
    rules = [part for rule in arguments.remap for part in ('-r', rule)]
    # Without rclpy's signal handler, the context stays valid until the node is destroyed.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node('flashdepth_player', cli_args=['--ros-args', *rules] if rules else [])
    try:
        node.get_logger().info(f'played {play(options, node)} messages of {options.bag}')
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.shutdown()
    return 0


def main() -> int:
    """Run `python -m flashdepth_ros.tools.player`."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    try:
        return run(parser.parse_args())
    except FlashDepthError as error:
        sys.stderr.write(f'{error}\n')
        return 1


if __name__ == '__main__':
    sys.exit(main())
