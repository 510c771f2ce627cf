"""Publish a recording on ROS topics: `flashdepth play`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.tools.player.playback import PlayOptions, play
from flashdepth_ros.tools.player.publishers import Outputs, absolute
from flashdepth_ros.tools.ros_node import ros_node


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    parser.add_argument('bag', type=Path, help='rosbag2 folder, .mcap, .db3, or ROS 1 .bag')
    parser.add_argument('--topics', nargs='+', default=[], metavar='TOPIC', help='play only these')
    parser.add_argument('--rate', type=float, default=1.0, help='speed factor (default 1)')
    parser.add_argument(
        '--loop', action='store_true', help='repeat until stopped; stamps go back each time'
    )
    parser.add_argument(
        '--clock',
        action='store_true',
        help='publish recorded time on /clock, instead of a /clock in the recording',
    )
    parser.add_argument(
        '--wait',
        type=float,
        default=0.0,
        metavar='S',
        help='wait up to S seconds until the topics have subscribers (default 0)',
    )
    parser.add_argument(
        '--wait-for',
        nargs='+',
        default=[],
        metavar='TOPIC',
        help='topics to wait for (default: all that are played)',
    )
    parser.add_argument(
        '--wait-active',
        default='',
        metavar='NODE',
        help='wait first until this lifecycle node is active',
    )
    parser.add_argument(
        '--best-effort',
        action='store_true',
        help='publish with best-effort reliability (default: reliable)',
    )
    parser.add_argument('--remap', nargs='+', default=[], metavar='FROM:=TO', help='rename topics')


def run(arguments: argparse.Namespace) -> int:
    """Play the bag and return 0; Ctrl-C ends with status 130 at any time."""
    options = PlayOptions(
        bag=arguments.bag,
        topics=tuple(arguments.topics),
        outputs=Outputs(
            dict(_parse_rules(arguments.remap)), arguments.clock, arguments.best_effort
        ),
        rate=arguments.rate,
        loop=arguments.loop,
        wait_node=arguments.wait_active,
        wait_s=arguments.wait,
        wait_topics=tuple(arguments.wait_for),
    )
    with ros_node('flashdepth_player') as node:
        node.get_logger().info(f'played {play(options, node)} messages of {options.bag}')
    return 0


def _parse_rules(rules: Iterable[str]) -> Iterable[tuple[str, str]]:
    for rule in rules:
        old, separator, new = rule.partition(':=')
        if not (old and separator and new):
            raise ConfigError(f'remap {rule!r} is not a remap rule; write it as /from:=/to')
        yield absolute(old), absolute(new)
