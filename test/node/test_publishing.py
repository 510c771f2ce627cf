"""The publishing thread: in order, one at a time, and never ended by a frame."""

from threading import Event

import numpy as np
import pytest
from sensor_msgs.msg import Image

from flashdepth_ros.node.outputs import Source
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.publishing import Estimated, Publishers, Publishing
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.ros.transport import choose_transport
from flashdepth_ros.ros.wiring import create_input
from flashdepth_ros.runtime import DepthFrame, ResetReason
from flashdepth_ros.runtime.depth_frame import StageTimes
from flashdepth_ros.runtime.sequence import Place
from support.ros_graph import best_effort

SIZE = (4, 6)


def estimated(stamp_ns):
    frame = DepthFrame(
        np.full(SIZE, 0.5, np.float32), Place(0, stamp_ns, ResetReason.NONE), StageTimes(1, 2, 3)
    )
    source = Source(stamp_ns, 'camera', np.zeros((*SIZE, 3), np.uint8), None)
    return Estimated(frame, source, Parameters(), 0.0, 0.0, 0.0, 0.0)


@pytest.fixture
def publishers(graph):
    node = graph.node('depth')
    return Publishers(node, choose_transport(node.get_logger()))


@pytest.fixture
def statistics():
    return Statistics()


@pytest.fixture
def publishing(graph, publishers, statistics):
    publishing = Publishing(graph.nodes[0], publishers, statistics)
    yield publishing
    publishing.close()


def test_what_is_handed_over_goes_out_in_order(graph, publishing, publishers, statistics):
    heard = []
    create_input(graph.node('listener'), best_effort(Image, 'depth/image'), heard.append)
    graph.spin_until(lambda: publishers.wanted)
    for stamp_ns in range(1, 6):
        publishing.put(estimated(stamp_ns))
        graph.spin_until(lambda stamp_ns=stamp_ns: len(heard) == stamp_ns)
    assert [image.header.stamp.nanosec for image in heard] == [1, 2, 3, 4, 5]
    assert statistics.snapshot().processed == 5


def test_closing_publishes_what_was_handed_over(publishing, statistics):
    publishing.put(estimated(1))
    publishing.put(estimated(2))
    publishing.close()
    assert statistics.snapshot().processed == 2


def test_a_frame_goes_out_while_the_caller_goes_on(
    publishing, publishers, statistics, monkeypatch
):
    may_go = Event()
    monkeypatch.setattr(publishers.outputs, 'publish', lambda *_: may_go.wait(10.0))
    publishing.put(estimated(1))
    assert statistics.snapshot().processed == 0
    may_go.set()
    publishing.put(estimated(2))
    assert statistics.snapshot().processed >= 1


@pytest.mark.parametrize('error', [MemoryError('too large'), RuntimeError('no context')])
def test_what_cannot_be_published_is_counted_and_passed_over(
    publishing, publishers, statistics, monkeypatch, capfd, error
):
    publish, frames = publishers.outputs.publish, iter([False, True])

    def fail_once(*what):
        if next(frames):
            return publish(*what)
        raise error

    monkeypatch.setattr(publishers.outputs, 'publish', fail_once)
    publishing.put(estimated(1))
    publishing.put(estimated(2))
    publishing.close()
    counted = statistics.snapshot()
    assert (counted.dropped_bad, counted.processed) == (1, 1)
    assert f'publishing failed: {error}' in capfd.readouterr().err
