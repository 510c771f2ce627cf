"""The node finds the camera by itself: raw or compressed images, camera_info beside the image."""

from functools import partial

import cv2
from diagnostic_msgs.msg import DiagnosticArray
import pytest
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.input_topics import (
    ImageTopic,
    camera_info_topic,
    published_topic,
    raw_topic,
)
from support.node_bench import SIZE, random_image, stamp_of, start_bench, values_of
from support.node_process import golden_weights

RAW, COMPRESSED = ImageTopic('/image', False), ImageTopic('/image/compressed', True)
K = [130.0, 0.0, 80.0, 0.0, 130.0, 60.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ('published', 'expected'),
    [
        ({}, None),
        ({'/image': Image}, RAW),
        ({'/image/compressed': CompressedImage}, COMPRESSED),
        ({'/image': Image, '/image/compressed': CompressedImage}, RAW),
        ({'/image': CompressedImage}, ImageTopic('/image', True)),
        ({'/image/compressed': Image, '/image': CameraInfo}, None),
    ],
)
def test_the_published_topic_is_chosen_by_type(graph, published, expected):
    driver = graph.node('driver')
    for topic, kind in published.items():
        driver.create_publisher(kind, topic, 1)
    scope = CameraScope(graph.node('depth'))
    graph.spin_until(lambda: all(scope.node.count_publishers(each) for each in published))
    graph.spin_until(lambda: published_topic(scope) == expected)
    assert raw_topic(scope) == RAW


@pytest.mark.parametrize(
    ('camera', 'rules', 'published', 'expected'),
    [
        ('', [], [], '/ns/camera_info'),
        ('', ['image:=/cam/image_raw'], [], '/cam/camera_info'),
        ('', ['image:=/cam/image_raw/compressed'], [], '/cam/camera_info'),
        ('', ['image:=/cam/image_raw'], ['/ns/camera_info'], '/ns/camera_info'),
        (
            '',
            ['image:=/cam/image_raw'],
            ['/ns/camera_info', '/cam/camera_info'],
            '/cam/camera_info',
        ),
        ('', ['image:=/cam/image_raw', 'camera_info:=/info'], ['/cam/camera_info'], '/info'),
        ('front', [], [], '/ns/front/camera_info'),
        ('front', ['front/image:=/cam/image_raw'], [], '/cam/camera_info'),
    ],
)
def test_camera_info_is_beside_the_image_unless_remapped(
    graph, camera, rules, published, expected
):
    driver = graph.node('driver')
    for topic in published:
        driver.create_publisher(CameraInfo, topic, 1)
    arguments = ['--ros-args', '-r', '__ns:=/ns', *(w for rule in rules for w in ('-r', rule))]
    scope = CameraScope(graph.node('depth', partial(Node, cli_args=arguments)), camera)
    graph.spin_until(lambda: all(scope.node.count_publishers(each) for each in published))
    assert camera_info_topic(scope) == expected


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('input_topics')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    options = {'model': 'flashdepth-tiny-s', 'weights': weights}
    with start_bench(folder, 'image:=/cam/image_raw', **options) as bench:
        bench.points = bench.subscribe('/points', PointCloud2)
        bench.timing = bench.subscribe('/flashdepth/timing', DiagnosticArray)
        yield bench


def compressed(bench):
    message = CompressedImage(format='png')
    message.header.frame_id = 'camera'
    message.header.stamp = stamp_of(bench.next_stamp())
    message.data.frombytes(cv2.imencode('.png', random_image())[1].tobytes())
    return message


def publish_until_processed(bench, topic, message):
    """Return the timing of the first image from a new publisher of raw or compressed images."""
    bench.timing.clear()
    camera = bench.node.create_publisher(type(message), topic, 5)
    while not bench.timing:
        message.header.stamp = stamp_of(bench.next_stamp())
        camera.publish(message)
        bench.spin_for(0.2)
    bench.node.destroy_publisher(camera)
    return values_of(bench.timing[0])


def test_the_node_follows_a_camera_that_changes_its_transport(bench):
    images = {
        '/cam/image_raw/compressed': lambda: compressed(bench),
        '/cam/image_raw': lambda: bench.image(random_image()),
    }
    reasons = [
        publish_until_processed(bench, topic, images[topic]())['reset_reason']
        for topic in [*images, *images]
    ]
    assert reasons == ['first_frame', *3 * ['publisher_restarted']]
    assert not bench.process.warnings


def test_camera_info_beside_the_image_gives_the_cloud(bench):
    info = CameraInfo(width=SIZE[1], height=SIZE[0], k=K)
    info.header.frame_id = 'camera'
    publisher = bench.create_publisher('/cam/camera_info', CameraInfo)
    publisher.publish(info)
    bench.spin_for(0.2)
    publish_until_processed(bench, '/cam/image_raw', bench.image(random_image()))
    bench.spin_until(lambda: bench.points)
