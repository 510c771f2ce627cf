"""The graph of the node's benchmark: a depth node and a camera, two processes, heard from here."""

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
from flashdepth_ros.tools.benchmark.camera import Sent
from flashdepth_ros.tools.benchmark.cores import Cores, confined
from flashdepth_ros.tools.benchmark.figures import Episode
from flashdepth_ros.tools.benchmark.listener import Listener
from flashdepth_ros.tools.benchmark.subject import Subject

Value = TypeVar('Value')

START_S = 180.0
# How long images are sent, one by one, until the node has accounted for all before them: it sees
# what was lost only when another arrives.
_SETTLE_S = 30.0
_QUIET_S = 0.3
_POLL_S = 0.02
_DIAGNOSTICS_PERIOD_S = 0.2
_DIAGNOSTICS_S = 1.0
"""Until the node has surely told of itself."""
_CONNECT_HZ = 4.0
_TICKS_PER_S = os.sysconf('SC_CLK_TCK')


class DepthNode(Process):
    """The process under test, on some cores alone."""

    def __init__(self, words: Sequence[str], log: Path, cores: Cores) -> None:
        super().__init__('depth_node', words, os.environ, log)
        self._cores = cores

    def __enter__(self) -> DepthNode:
        with confined(self._cores):
            return super().__enter__()

    def cpu_s(self) -> float:
        """Return the CPU time that all its threads have taken."""
        fields = Path(f'/proc/{self._running.pid}/stat').read_text().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def resident_bytes(self) -> int:
        """Return how much memory it holds."""
        return resident_bytes(self._running.pid)


class CameraProcess(Process):
    """The camera: told by its standard input what to send."""

    converses = True

    def __init__(self, subject: Subject, log: Path) -> None:
        module = 'flashdepth_ros.tools.benchmark.camera'
        words = [sys.executable, '-m', module, json.dumps(asdict(subject))]
        super().__init__('the camera of the benchmark', words, os.environ, log)

    def start(self, rate: float, frames: int) -> None:
        """Let it send so many frames at that rate."""
        assert self._running.stdin is not None
        self._running.stdin.write(f'{rate} {frames}\n'.encode())
        self._running.stdin.flush()

    def answer(self) -> Sent | None:
        """
        Return what it has sent, None while it still sends; do not wait.

        :raises FlashDepthError: it ended; with what it said.
        """
        assert self._running.stdout is not None
        if not select.select([self._running.stdout], [], [], 0)[0]:
            return None
        line = self._running.stdout.readline()
        if not line:
            raise FlashDepthError(f'{self.name} ended: {self.last_lines()}')
        return Sent(**json.loads(line))


class Graph:
    """Camera -> depth node -> listener, running."""

    def __init__(self, depth_node: DepthNode, camera: CameraProcess, listener: Listener) -> None:
        self.listener = listener
        self._depth_node, self._camera = depth_node, camera

    def play(self, rate: float, frames: int, settle: bool = True) -> Episode:
        """
        Send so many frames, then one or more that show what was lost; return what was seen.

        :param settle: False: do not wait for the node's account, which a node at rest cannot give.
        :raises FlashDepthError: a process ended.
        """
        listener, counted = self.listener, self.listener.counts()
        listener.forget()
        start_s, start_cpu_s = time.monotonic(), self._depth_node.cpu_s()
        sent = self._send(rate, frames)
        sending_s = time.monotonic() - start_s
        sending_cpu_s = self._depth_node.cpu_s() - start_cpu_s
        if settle:
            all_sent, counts = self._settled(counted, frames)
        else:
            all_sent, counts = frames, self._counts_since(counted)
        return Episode(
            sent=all_sent,
            playback_rate=sent.rate,
            counts=counts,
            # Of the frames at that rate alone.
            depths_ns=_until(sent.last_ns, listener.depths_ns),
            clouds_ns=_until(sent.last_ns, listener.clouds_ns),
            stages=_until(sent.last_ns, listener.stages),
            sending_s=sending_s,
            sending_cpu_s=sending_cpu_s,
            cpu_s=self._depth_node.cpu_s() - start_cpu_s,
        )

    def node_memory_bytes(self) -> int:
        """Return how much memory the node holds."""
        return self._depth_node.resident_bytes()

    def connect(self) -> None:
        """
        Send an image now and then until the node counts them: it runs, and is connected.

        :raises FlashDepthError: a process ended, or it took too long.
        """
        end_s, before = time.monotonic() + START_S, self.listener.counts()
        while not sum(self._counts_since(before).values()):
            if time.monotonic() > end_s:
                said = self._depth_node.last_lines()
                raise FlashDepthError(f'no image reached depth_node in {START_S:g} s: {said}')
            self._send(_CONNECT_HZ, 1)
            self.listener.spin_for(1 / _CONNECT_HZ)
        # Until those that arrived have been counted, and those that were lost.
        self.listener.spin_for(_DIAGNOSTICS_S)
        self._settled(self.listener.counts(), 0)

    def _send(self, rate: float, frames: int) -> Sent:
        self._camera.start(rate, frames)
        while (sent := self._camera.answer()) is None:
            self._depth_node.check_alive()
            self.listener.spin_for(_POLL_S)
        return sent

    def _settled(self, before: Mapping[str, int], sent: int) -> tuple[int, dict[str, int]]:
        """Send single frames until one arrives, and return how many were sent, and the account."""
        end_s = time.monotonic() + _SETTLE_S
        while True:
            self.listener.spin_for(_QUIET_S)
            self._send(_CONNECT_HZ, 1)
            sent += 1
            counts = self._counted(before, sent)
            if sum(counts.values()) >= sent or time.monotonic() > end_s:
                return sent, counts

    def _counted(self, before: Mapping[str, int], sent: int) -> dict[str, int]:
        """Return how the node accounts for what was sent, once complete, or after a while."""
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


def _until(last_ns: int, seen: Mapping[int, Value]) -> dict[int, Value]:
    return {stamp_ns: value for stamp_ns, value in seen.items() if stamp_ns <= last_ns}


@contextmanager
def running_graph(subject: Subject, cores: Cores, folder: Path) -> Iterator[Graph]:
    """
    Start camera and depth node, and yield them connected; nobody subscribes to the node yet.

    :param cores: of the depth node.
    :param folder: for what the processes say.
    :raises FlashDepthError: a process ended, or they did not connect.
    """
    module = 'tools.benchmark.stubbed_node' if subject.stubbed else 'node.depth_node'
    words = [sys.executable, '-m', f'flashdepth_ros.{module}', *_parameters(subject)]
    context = Context()
    # Python's own Ctrl-C leaves the context whole until the block ends.
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    listener = Listener(context)
    depth_node = DepthNode(words, folder / 'depth_node.log', cores)
    try:
        with depth_node, CameraProcess(subject, folder / 'camera.log') as camera:
            graph = Graph(depth_node, camera, listener)
            graph.connect()
            yield graph
    finally:
        listener.close()
        rclpy.shutdown(context=context)


def _parameters(subject: Subject) -> list[str]:
    parameters: dict[str, Any] = {
        'model': subject.model,
        'weights': subject.weights,
        'device': subject.device,
        'precision': subject.precision,
        'engine': subject.engine,
        'inference.short_side': subject.short_side,
        'diagnostics.period': _DIAGNOSTICS_PERIOD_S,
    }
    if subject.reliable:
        parameters['qos_overrides./image.subscription.reliability'] = 'reliable'
    words = ['--ros-args']
    for name, value in parameters.items():
        words += ['-p', f'{name}:={value}']
    return words
