"""
Processes killed at random moments: no recording that readers refuse, and the next start works.

    PYTHONPATH=test .venv/bin/python -m reliability.kills --count 100

`infer` is killed while it writes a recording, the player while the node estimates its images, and
the node while it starts or runs. Each is then started again and must do its work.
"""

import argparse
from collections.abc import Callable
import os
from pathlib import Path
from random import Random
import subprocess
import sys
from tempfile import TemporaryDirectory
import time

import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image
from tqdm import tqdm

from flashdepth_ros.bags import BagReader
from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.ros.environment import transport_environment
from support.paths import ROOT

FLASHDEPTH = [sys.executable, '-m', 'flashdepth_ros.cli']
NODE = [sys.executable, '-m', 'flashdepth_ros.node', '--ros-args']
SMALL = {'short_side': '56', 'engine': 'torch'}
SAMPLE = ROOT / 'recordings' / 'sample'
DEPTH_S = 60.0


def start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process whose output goes to a file."""
    with log.open('ab') as file:
        return subprocess.Popen(words, cwd=ROOT, stdout=file, stderr=file)


def start_node(log: Path) -> subprocess.Popen[bytes]:
    """Start the depth node on the topics of the sample recording."""
    parameters = {
        'inference.short_side': SMALL['short_side'],
        'engine': SMALL['engine'],
        'image_transport': 'compressed',
    }
    words = [word for name, value in parameters.items() for word in ('-p', f'{name}:={value}')]
    remaps = ['-r', 'image:=/camera/image_raw', '-r', 'camera_info:=/camera/camera_info']
    return start([*NODE, *words, *remaps], log)


def start_player(log: Path) -> subprocess.Popen[bytes]:
    """Start the player of the sample recording, in a loop."""
    return start([*FLASHDEPTH, 'play', str(SAMPLE), '--loop', '--wait', '0'], log)


class Listener:
    """Counts depth images."""

    def __init__(self) -> None:
        self._node: Node = rclpy.create_node('listener')
        self._node.create_subscription(Image, 'depth/image', self._receive, 5)
        self._count = 0

    def _receive(self, _: Image) -> None:
        self._count += 1

    def hears_depth(self) -> bool:
        """Return whether depth arrives from now on."""
        before, end_s = self._count, time.monotonic() + DEPTH_S
        while self._count < before + 3 and time.monotonic() < end_s:
            rclpy.spin_once(self._node, timeout_sec=0.2)
        return self._count >= before + 3


def kill_infer(random: Random, folder: Path) -> str:
    """Kill `infer` and return what is wrong with its output; ''."""
    output = folder / 'out'
    words = ['infer', str(SAMPLE), '-o', str(output), '--overwrite', '--copy']
    options = ['--short-side', SMALL['short_side'], '--engine', SMALL['engine']]
    process = start([*FLASHDEPTH, *words, *options], folder / 'infer.log')
    time.sleep(random.uniform(0.0, 8.0))
    process.kill()
    process.wait()
    if not output.exists():
        return ''
    try:
        with BagReader(output) as bag:
            return '' if list(bag.records()) else 'an empty recording'
    except FlashDepthError as error:
        return str(error)


def repeat(name: str, count: int, kill: Callable[[], str]) -> list[str]:
    """Kill so often; return the problems."""
    problems = []
    for index in tqdm(range(count), desc=name):
        if problem := kill():
            problems.append(f'{name} {index}: {problem}')
            tqdm.write(problems[-1])
    return problems


def kill_in_graph(count: int, random: Random, folder: Path) -> list[str]:
    """Kill player and node in turn, so often each; return the problems."""
    listener = Listener()
    log = folder / 'graph.log'
    running = {'node': start_node(log), 'player': start_player(log)}
    starts = {'node': start_node, 'player': start_player}

    def kill(name: str) -> str:
        time.sleep(random.uniform(0.0, 3.0))
        running[name].kill()
        running[name].wait()
        running[name] = starts[name](log)
        if listener.hears_depth():
            return ''
        return f'no depth within {DEPTH_S:g} s after the next start'

    try:
        if not listener.hears_depth():
            return [f'no depth at first: {log.read_text()[-2000:]}']
        return [
            problem
            for name in ('player', 'node')
            for problem in repeat(name, count, lambda name=name: kill(name))
        ]
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def main() -> int:
    """Run; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--count', type=int, default=100)
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    random = Random(arguments.seed)
    rclpy.init()
    with TemporaryDirectory() as name:
        folder = Path(name)
        problems = repeat('infer', arguments.count, lambda: kill_infer(random, folder))
        problems += kill_in_graph(arguments.count, random, folder)
        leftover = sorted(each.name for each in folder.iterdir() if each.name.startswith('.'))
    rclpy.shutdown()
    lines = problems or [f'{3 * arguments.count} processes killed, nothing was lost']
    sys.stdout.write(
        '\n'.join([*lines, f'left in the output folder: {leftover or "nothing"}', ''])
    )
    return int(bool(problems))


if __name__ == '__main__':
    os.environ.update(transport_environment(os.environ))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_DOMAIN_ID'] = str(os.getpid() % 100 + 1)
    sys.exit(main())
