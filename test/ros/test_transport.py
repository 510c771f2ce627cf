"""Images and clouds between real nodes, as serialised bytes and as messages."""

import time

import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image, PointCloud2

from flashdepth_ros.errors import InputError
from flashdepth_ros.ros import cdr, wiring
from flashdepth_ros.ros.transport import MessageInfo, Transport, choose_transport
from support.ros_graph import best_effort_input, warnings_in

PIXELS = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)


@pytest.mark.parametrize('receive_raw', [True, False])
@pytest.mark.parametrize('send_raw', [True, False])
def test_image_is_received_unchanged(graph, send_raw, receive_raw):
    node = graph.node('camera')
    received, bad = [], []
    Transport(receive_raw).subscribe(
        node,
        best_effort_input(Image),
        lambda *item: received.append(item),
        lambda *item: bad.append(item),
    )
    publisher = wiring.create_output(node, Image, 'image')
    graph.spin_until(publisher.get_subscription_count)
    images = [cdr.image_of(stamp, 'camera', 'rgb8', PIXELS) for stamp in range(1, 4)]
    for image in images:
        before = time.time_ns()
        Transport(send_raw).publish_image(publisher, image)
        graph.spin_until(lambda stamp=image.stamp_ns: len(received) == stamp)
        info = received[-1][1]
        assert before - 10**7 <= info.source_timestamp_ns <= info.received_timestamp_ns + 10**7
    assert [image for image, _ in received] == images
    sequence = [info.publication_sequence for _, info in received]
    assert sequence == list(range(sequence[0], sequence[0] + 3))
    assert not bad


@pytest.mark.parametrize('raw', [True, False])
def test_cloud_is_received_unchanged(graph, raw):
    node = graph.node('camera')
    received = []
    wiring.create_input(
        node, wiring.Input(PointCloud2, 'points', wiring.info_qos()), received.append
    )
    publisher = wiring.create_output(node, PointCloud2, 'points')
    graph.spin_until(publisher.get_subscription_count)
    points = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
    cloud = cdr.PointCloud(10**9, 'camera', ('x', 'y', 'z'), points)
    Transport(raw).publish_cloud(publisher, cloud)
    graph.spin_until(lambda: received)
    message = received[0]
    assert (message.height, message.width, message.point_step, message.row_step) == (3, 4, 12, 48)
    assert [field.name for field in message.fields] == ['x', 'y', 'z']
    np.testing.assert_array_equal(np.frombuffer(message.data, np.float32), points.ravel())


@pytest.mark.parametrize('message_type', [Image, CompressedImage])
def test_damaged_message_is_reported_and_the_next_one_read(graph, message_type):
    node = graph.node('camera')
    received, bad = [], []
    Transport(raw=True).subscribe(
        node,
        best_effort_input(message_type, 'in'),
        lambda *item: received.append(item),
        lambda *item: bad.append(item),
    )
    publisher = wiring.create_output(node, message_type, 'in')
    graph.spin_until(publisher.get_subscription_count)
    publisher.publish(b'\x00\x01\x00\x00' + bytes(5))
    graph.spin_until(lambda: bad)
    publisher.publish(message_type())
    graph.spin_until(lambda: received)
    error, info = bad[0]
    assert isinstance(error, InputError)
    assert message_type.__name__ in str(error)
    assert info.publication_sequence is not None


def test_raw_transport_is_chosen_with_this_middleware(graph, capfd):
    assert choose_transport(graph.node('any').get_logger()) == Transport(raw=True)
    assert not warnings_in(capfd)


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ({}, MessageInfo()),
        (
            {'source_timestamp': 5, 'received_timestamp': 7},
            MessageInfo(source_timestamp_ns=5, received_timestamp_ns=7),
        ),
        ({'source_timestamp': 0, 'publication_sequence_number': 2**64 - 1}, MessageInfo()),
        ({'publication_sequence_number': 0}, MessageInfo(publication_sequence=0)),
        ({'publisher_gid': [1, 255]}, MessageInfo(publisher_gid=b'\x01\xff')),
        ({'publisher_gid': {'data': b'\x02'}}, MessageInfo(publisher_gid=b'\x02')),
    ],
)
def test_message_info_of_every_distribution(given, expected):
    assert MessageInfo.of(given) == expected
