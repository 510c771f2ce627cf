"""Compressed outputs: what they hold, when they are made, and the names of their topics."""

from functools import partial

import numpy as np
import pytest
from rclpy.node import Node

from flashdepth_ros.messages import read_compressed, read_depth
from flashdepth_ros.node import outputs as outputs_module
from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.outputs import Outputs, Source
from flashdepth_ros.ros.transport import choose_transport
from support.outputs_client import OutputsClient

DEPTH = 'depth/image/compressedDepth'
COLOR = 'depth/image_color/compressed'
SIZE = (24, 32)
INVERSE = np.linspace(0.02, 5.0, 24 * 32, dtype=np.float32).reshape(SIZE)
SOURCE = Source(1_500_000_000, 'camera', np.zeros((*SIZE, 3), np.uint8), None)


@pytest.fixture
def client(graph):
    return OutputsClient(graph, INVERSE, SOURCE)


@pytest.mark.parametrize('encoding', ['32FC1', '16UC1'])
def test_compressed_depth_is_the_depth_image(client, encoding):
    raw, compressed = client.receive('depth/image', DEPTH, depth_encoding=encoding, depth_max=40.0)
    assert compressed.header == raw.header
    assert compressed.format == f'{encoding}; compressedDepth png'
    expected, depth = read_depth(raw), read_depth(compressed)
    known = np.isfinite(expected)
    assert 0.9 < known.mean() < 1
    np.testing.assert_array_equal(np.isfinite(depth), known)
    limit = expected[known] ** 2 / 20000 if encoding == '32FC1' else 1e-6
    assert (np.abs(depth - expected)[known] <= limit).all()


def test_compressed_preview_is_the_preview(client):
    raw, compressed = client.receive('depth/image_color', COLOR, color_jpeg_quality=100)
    assert compressed.header == raw.header
    expected = np.frombuffer(raw.data, np.uint8).reshape(*SIZE, 3)
    assert np.abs(read_compressed(compressed).astype(int) - expected).mean() < 8


@pytest.fixture
def compressed(monkeypatch):
    """Return a list of what is compressed from now on."""
    made = []
    for name in ('compress_depth', 'compress_rgb'):
        original = getattr(outputs_module, name)

        def call(*arguments, name=name, original=original):
            made.append(name)
            return original(*arguments)

        monkeypatch.setattr(outputs_module, name, call)
    return made


def test_each_is_compressed_only_with_a_subscriber(client, compressed):
    client.receive('depth/image', 'depth/image_color')
    assert not compressed
    client.receive(DEPTH)
    assert set(compressed) == {'compress_depth'}
    client.receive(COLOR)
    assert set(compressed) == {'compress_depth', 'compress_rgb'}


def test_a_compressed_topic_alone_counts_as_a_subscriber(client):
    assert not client.outputs.has_subscribers
    client.receive(DEPTH)
    assert client.outputs.has_subscribers


def test_relative_depth_is_not_compressed(client, compressed):
    client.receive(DEPTH, COLOR)
    compressed.clear()
    (inverse,) = client.receive('depth/inverse', depth_output='relative')
    assert inverse.encoding == '32FC1'
    assert not compressed


@pytest.mark.parametrize(
    ('remaps', 'expected'),
    [
        ((), '/robot/depth/image/compressedDepth'),
        (('depth/image:=/front/depth',), '/front/depth/compressedDepth'),
        (('depth/image:=/front', 'depth/image/compressedDepth:=/own'), '/own'),
    ],
)
def test_the_topic_is_under_that_of_the_depth_image_unless_remapped(graph, remaps, expected):
    rules = [word for each in remaps for word in ('-r', each)]
    kind = partial(Node, namespace='/robot', cli_args=['--ros-args', *rules])
    node = graph.node('depth', kind)
    Outputs(CameraScope(node), choose_transport(node.get_logger()))
    assert expected in {each.topic_name for each in node.publishers}
