"""The confidence output: when it is computed, and how it filters the cloud."""

import numpy as np
import pytest

from flashdepth_ros.camera.calibration import Camera
from flashdepth_ros.node.outputs import Source
from flashdepth_ros.runtime import ResetReason
from flashdepth_ros.runtime.confidence import ConfidenceRater
from flashdepth_ros.runtime.sequence import SequencePosition
from support.node_bench import pixels_of
from support.outputs_client import OutputsClient
from support.recordings import info

SIZE = (48, 64)
STEP = np.full(SIZE, 0.2, np.float32)
STEP[:, 32:] = 1.0
CAMERA = Camera.read(info(0, focal=50.0, size=SIZE))
SOURCE = Source(1_500_000_000, 'camera', np.zeros((*SIZE, 3), np.uint8), CAMERA)


@pytest.fixture
def client(graph):
    return OutputsClient(graph, STEP, SOURCE)


@pytest.fixture
def rated(monkeypatch):
    """Return a list of the positions of the frames that are rated from now on."""
    positions, rate = [], ConfidenceRater.rate

    def recorded(rater, inverse_depth, position):
        positions.append(position.frames_since_reset)
        return rate(rater, inverse_depth, position)

    monkeypatch.setattr(ConfidenceRater, 'rate', recorded)
    return positions


def confidence_of(message):
    return pixels_of(message)[..., 0]


@pytest.mark.parametrize('output', ['metric', 'relative'])
def test_confidence_has_the_header_and_size_of_depth(client, output):
    depth = 'depth/image' if output == 'metric' else 'depth/inverse'
    depth, confidence = client.receive(depth, 'depth/confidence', depth_output=output)
    assert confidence.header == depth.header
    assert (confidence.encoding, confidence.height, confidence.width) == ('32FC1', *SIZE)
    assert 0 < confidence_of(confidence).min() <= confidence_of(confidence).max() <= 1


def test_frames_are_rated_only_with_a_subscriber(client, rated):
    client.receive('depth/image', 'points')
    assert not rated
    client.receive('depth/confidence')
    assert rated == list(range(rated[0], client.number))


def test_without_depth_in_metres_there_is_no_confidence(client, rated):
    client.receive('depth/confidence')
    rated.clear()
    client.receive('depth/camera_info', model='video-depth-anything-s')
    assert not rated


def test_a_late_subscriber_starts_with_the_confidence_of_a_first_frame(client):
    client.receive('depth/image')
    before = client.number
    (first,) = client.receive('depth/confidence')
    assert before > 0
    for _ in range(20):
        (last,) = client.receive('depth/confidence')
    assert confidence_of(last).mean() > confidence_of(first).mean() + 0.1


def test_points_below_the_minimum_confidence_are_nan(client, rated):
    z = {}
    for minimum in (0.0, 0.5):
        for _ in range(30):
            (cloud,) = client.receive('points', points_stride=2, points_min_confidence=minimum)
        z[minimum] = pixels_of(cloud)[..., 2]
    assert np.isfinite(z[0.0]).all()
    assert len(rated) >= 30
    rater = ConfidenceRater()
    for number in tuple(rated):
        rating = rater.rate(STEP, SequencePosition(0, number, ResetReason.NONE))
    np.testing.assert_array_equal(np.isnan(z[0.5]), rating[::2, ::2] < 0.5)
    assert 0 < np.isnan(z[0.5]).mean() < 0.5
