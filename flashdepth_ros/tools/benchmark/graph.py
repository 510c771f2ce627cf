"""The ROS graph of the node's benchmark: depth node and camera processes, and a listener here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
import json
import os
from pathlib import Path
import select
import sys
import time
from typing import Any, TypeVar

import rclpy
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.ros.processes import Process
from flashdepth_ros.runtime.memory import resident_bytes
from flashdepth_ros.tools.benchmark.camera import SentFrames
from flashdepth_ros.tools.benchmark.config import BenchmarkConfig
from flashdepth_ros.tools.benchmark.cores import Cores, cpu_affinity
from flashdepth_ros.tools.benchmark.listener import Listener
from flashdepth_ros.tools.benchmark.results import Run

Value = TypeVar('Value')

START_S = 180.0
# Maximum time of sending single images until the node has counted all images before them: it
# detects a lost image only when a later one arrives.
_SETTLE_S = 30.0
_QUIET_S = 0.3
_POLL_S = 0.02
_DIAGNOSTICS_PERIOD_S = 0.2
_DIAGNOSTICS_S = 1.0
"""A time within which the node certainly publishes its diagnostics."""
_CONNECT_HZ = 4.0
_TICKS_PER_S = os.sysconf('SC_CLK_TCK')


class DepthNode(Process):
    """The depth node under test, on its assigned cores."""

    def __init__(self, command: Sequence[str], log: Path, cores: Cores) -> None:
        super().__init__('depth_node', command, os.environ, log)
        self._cores = cores

    def __enter__(self) -> DepthNode:
        with cpu_affinity(self._cores):
            return super().__enter__()

    def cpu_s(self) -> float:
        """Return the CPU time of all its threads."""
        fields = Path(f'/proc/{self._running.pid}/stat').read_text().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def resident_bytes(self) -> int:
        """Return its resident memory."""
        return resident_bytes(self._running.pid)


class CameraProcess(Process):
    """The camera process; it sends what is requested on its standard input."""

    uses_pipes = True

    def __init__(self, config: BenchmarkConfig, log: Path) -> None:
        module = 'flashdepth_ros.tools.benchmark.camera'
        command = [sys.executable, '-m', module, json.dumps(asdict(config))]
        super().__init__('the camera of the benchmark', command, os.environ, log)

    def start(self, rate: float, frames: int) -> None:
        """Start sending this number of frames at this rate."""
        assert self._running.stdin is not None
        self._running.stdin.write(f'{rate} {frames}\n'.encode())
        self._running.stdin.flush()

    def poll(self) -> SentFrames | None:
        """
        Return the sent frames, or None while it is still sending; do not wait.

        :raises FlashDepthError: the process has ended; the text gives its last lines.
        """
        assert self._running.stdout is not None
        if not select.select([self._running.stdout], [], [], 0)[0]:
            return None
        line = self._running.stdout.readline()
        if not line:
            raise FlashDepthError(f'{self.name} ended too early: {self.last_lines()}')
        return SentFrames(**json.loads(line))


class Graph:
    """The running graph: camera -> depth node -> listener."""

    def __init__(self, depth_node: DepthNode, camera: CameraProcess, listener: Listener) -> None:
        self.listener = listener
        self._depth_node, self._camera = depth_node, camera

    def run(self, rate: float, frames: int, settle: bool = True) -> Run:
        """
        Send frames at this rate and return the measurements.

        Then send single frames until the node has detected and counted all lost ones.

        :param settle: False: do not wait for the counts; an idle node does not count images.
        :raises FlashDepthError: a process has ended.
        """
        listener, counted = self.listener, self.listener.counts()
        listener.clear()
        start_s, start_cpu_s = time.monotonic(), self._depth_node.cpu_s()
        sent = self._send(rate, frames)
        sending_s = time.monotonic() - start_s
        sending_cpu_s = self._depth_node.cpu_s() - start_cpu_s
        if settle:
            all_sent, counts = self._settled(counted, frames)
        else:
            all_sent, counts = frames, self._counts_since(counted)
        return Run(
            sent=all_sent,
            playback_rate=sent.rate,
            counts=counts,
            # Only of the frames sent at this rate, without the single ones after them.
            depths_ns=_until(sent.last_ns, listener.depths_ns),
            clouds_ns=_until(sent.last_ns, listener.clouds_ns),
            stages=_until(sent.last_ns, listener.stages),
            sending_s=sending_s,
            sending_cpu_s=sending_cpu_s,
            cpu_s=self._depth_node.cpu_s() - start_cpu_s,
        )

    def node_memory_bytes(self) -> int:
        """Return the resident memory of the node."""
        return self._depth_node.resident_bytes()

    def connect(self, settle: bool = True) -> None:
        """
        Send single images until the node counts one, that is, until it runs and is connected.

        :param settle: Wait until all these images are counted; an idle node does not count them.
        :raises FlashDepthError: a process has ended, or the node was not connected in time.
        """
        end_s, before = time.monotonic() + START_S, self.listener.counts()
        while not sum(self._counts_since(before).values()):
            if time.monotonic() > end_s:
                output = self._depth_node.last_lines()
                raise FlashDepthError(f'no image reached depth_node in {START_S:g} s: {output}')
            self._send(_CONNECT_HZ, 1)
            self.listener.spin_for(1 / _CONNECT_HZ)
        self.listener.spin_for(_DIAGNOSTICS_S)
        if settle:
            self._settled(self.listener.counts(), 0)

    def _send(self, rate: float, frames: int) -> SentFrames:
        self._camera.start(rate, frames)
        while (sent := self._camera.poll()) is None:
            self._depth_node.check_alive()
            self.listener.spin_for(_POLL_S)
        return sent

    def _settled(self, before: Mapping[str, int], sent: int) -> tuple[int, dict[str, int]]:
        """Send single frames until all frames are counted; return the number sent, the counts."""
        end_s = time.monotonic() + _SETTLE_S
        while True:
            self.listener.spin_for(_QUIET_S)
            self._send(_CONNECT_HZ, 1)
            sent += 1
            counts = self._await_counts(before, sent)
            if sum(counts.values()) >= sent or time.monotonic() > end_s:
                return sent, counts

    def _await_counts(self, before: Mapping[str, int], sent: int) -> dict[str, int]:
        """Return the node's counts of the sent frames when complete, or after a timeout."""
        end_s = time.monotonic() + _DIAGNOSTICS_S
        while True:
            counts = self._counts_since(before)
            if sum(counts.values()) >= sent or time.monotonic() > end_s:
                return counts
            self._depth_node.check_alive()
            self.listener.spin_for(_POLL_S)

    def _counts_since(self, before: Mapping[str, int]) -> dict[str, int]:
        now = self.listener.counts()
        return {name: now[name] - before[name] for name in now}


def _until(last_ns: int, values: Mapping[int, Value]) -> dict[int, Value]:
    return {stamp_ns: value for stamp_ns, value in values.items() if stamp_ns <= last_ns}


@contextmanager
def running_graph(config: BenchmarkConfig, cores: Cores, folder: Path) -> Iterator[Graph]:
    """
    Start camera and depth node, and yield the connected graph; no output has a subscriber yet.

    :param cores: the cores of the depth node.
    :param folder: for the logs of the processes.
    :raises FlashDepthError: a process has ended, or the node was not connected in time.
    """
    module = 'tools.benchmark.stubbed_node' if config.stubbed else 'node'
    command = [sys.executable, '-m', f'flashdepth_ros.{module}', *_ros_arguments(config)]
    context = Context()
    # Without rclpy's signal handler, the context stays valid until the block ends.
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    listener = Listener(context)
    depth_node = DepthNode(command, folder / 'depth_node.log', cores)
    try:
        with depth_node, CameraProcess(config, folder / 'camera.log') as camera:
            graph = Graph(depth_node, camera, listener)
            graph.connect(settle=False)
            yield graph
    finally:
        listener.close()
        rclpy.shutdown(context=context)


def _ros_arguments(config: BenchmarkConfig) -> list[str]:
    parameters: dict[str, Any] = {
        'model': config.model,
        'weights': config.weights,
        'device': config.device,
        'precision': config.precision,
        'engine': config.engine,
        'inference.short_side': config.short_side,
        'diagnostics.period': _DIAGNOSTICS_PERIOD_S,
    }
    if config.reliable:
        parameters['qos_overrides./image.subscription.reliability'] = 'reliable'
    arguments = ['--ros-args']
    for name, value in parameters.items():
        arguments += ['-p', f'{name}:={value}']
    return arguments
