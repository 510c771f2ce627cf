"""The publishing thread: publishes in order, one at a time, and survives errors."""

from threading import Event

import numpy as np
import pytest
from sensor_msgs.msg import Image

from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.outputs import Source
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.publishing import EstimatedFrame, Publishers, PublishingThread
from flashdepth_ros.node.scale_subscriber import ScaleSubscriber
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.node.threads import NodeThread, Patience, run_in_thread
from flashdepth_ros.ros.transport import choose_transport
from flashdepth_ros.ros.wiring import create_input
from flashdepth_ros.runtime import DepthFrame, ResetReason
from flashdepth_ros.runtime.depth_frame import StageTimes
from flashdepth_ros.runtime.sequence import SequencePosition
from support.ros_graph import best_effort_input

SIZE = (4, 6)


def estimated_frame(stamp_ns):
    frame = DepthFrame(
        np.full(SIZE, 0.5, np.float32),
        SequencePosition(0, stamp_ns, ResetReason.NONE),
        StageTimes(1, 2, 3),
    )
    source = Source(stamp_ns, 'camera', np.zeros((*SIZE, 3), np.uint8), None)
    return EstimatedFrame(frame, source, Parameters(), 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture
def publishers(graph):
    node = graph.node('depth')
    transport = choose_transport(node.get_logger())
    scope = CameraScope(node)
    return Publishers(scope, transport, ScaleSubscriber(scope, transport))


@pytest.fixture
def statistics():
    return Statistics()


@pytest.fixture
def publishing(graph, publishers, statistics):
    publishing = PublishingThread(CameraScope(graph.nodes[0]), publishers, statistics)
    yield publishing
    publishing.close(Patience())


def test_frames_are_published_in_order(graph, publishing, publishers, statistics):
    received = []
    create_input(graph.node('listener'), best_effort_input(Image, 'depth/image'), received.append)
    graph.spin_until(lambda: publishers.has_subscribers)
    for stamp_ns in range(1, 6):
        publishing.put(estimated_frame(stamp_ns))
        graph.spin_until(lambda stamp_ns=stamp_ns: len(received) == stamp_ns)
    assert [image.header.stamp.nanosec for image in received] == [1, 2, 3, 4, 5]
    assert statistics.snapshot().processed == 5


def test_close_publishes_pending_frames(publishing, statistics):
    publishing.put(estimated_frame(1))
    publishing.put(estimated_frame(2))
    publishing.close(Patience())
    assert statistics.snapshot().processed == 2


def test_put_does_not_wait_for_publishing(publishing, publishers, statistics, monkeypatch):
    may_publish = Event()
    monkeypatch.setattr(publishers.outputs, 'publish', lambda *_: may_publish.wait(10.0))
    publishing.put(estimated_frame(1))
    assert statistics.snapshot().processed == 0
    may_publish.set()
    publishing.put(estimated_frame(2))
    assert statistics.snapshot().processed >= 1


@pytest.mark.parametrize(
    'error', [MemoryError('too large'), KeyError('no context'), SystemExit(1)]
)
def test_failed_frame_is_counted_and_skipped(
    publishing, publishers, statistics, monkeypatch, capfd, error
):
    publish, frames = publishers.outputs.publish, iter([False, True])

    def fail_once(*arguments):
        if next(frames):
            return publish(*arguments)
        raise error

    monkeypatch.setattr(publishers.outputs, 'publish', fail_once)
    publishing.put(estimated_frame(1))
    publishing.put(estimated_frame(2))
    publishing.close(Patience())
    counted = statistics.snapshot()
    assert (counted.dropped_bad, counted.processed) == (1, 1)
    failure = f'publishing failed: {type(error).__name__}: {error}'
    assert failure in capfd.readouterr().err
    assert failure in counted.last_bad_reason


def test_a_hanging_frame_does_not_block_the_end(publishing, publishers, statistics, monkeypatch):
    may_publish = Event()
    monkeypatch.setattr(publishers.outputs, 'publish', lambda *_: may_publish.wait(10.0))
    publishing.put(estimated_frame(1))
    waiting = run_in_thread('waiting', lambda: publishing.put(estimated_frame(2)))
    publishing.close(Patience(0.1))
    waiting.result(1.0)
    assert statistics.snapshot().dropped_stale == 1
    may_publish.set()
    assert Patience(5.0)(lambda: not NodeThread.any_running())
