"""The explanations of missing images and camera_info, between real nodes."""

import os

import pytest
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from flashdepth_ros.ros import wiring
from flashdepth_ros.ros.missing_messages import (
    WantedImages,
    describe_missing_camera_info,
    describe_missing_images,
)
from flashdepth_ros.ros.transport import Transport
from support.ros_graph import Graph, best_effort_input, other_domain

IMAGE = WantedImages('/image', compressed=False)


@pytest.fixture
def node(graph):
    node = graph.node('depth')
    wiring.create_output(node, Image, 'depth/image')
    wiring.create_output(node, CameraInfo, 'depth/camera_info')
    return node


@pytest.fixture
def camera(graph):
    """A node of another participant: within one, a topic has one type."""
    context = rclpy.Context()
    rclpy.init(context=context)
    other = Graph(context)
    yield other.node('camera')
    other.close()
    rclpy.shutdown(context=context)


@pytest.fixture
def describe(graph, node, camera):
    """Return a function: create publishers, wait for them, describe missing images."""

    def describe(wanted=IMAGE, **topics):
        for topic, kind in topics.items():
            camera.create_publisher(kind, topic.replace('__', '/'), 1)
        for topic in topics:
            graph.spin_until(lambda topic=topic: is_known(node, topic.replace('__', '/')))
        return describe_missing_images(node, wanted, 5.0)

    return describe


def is_known(node, topic):
    """Return whether a publisher was discovered, and data of its node has arrived."""
    publishers = node.get_publishers_info_by_topic(topic)
    return any(each.node_name == 'camera' for each in publishers)


def subscribe(node, kind=Image, topic='image'):
    Transport(raw=True).subscribe(node, best_effort_input(kind, topic), print, print)


def test_no_image_topic_at_all(describe):
    text = describe()
    assert text.startswith('no images on /image for 5 s; it has 0 publisher(s); no other image')
    assert f'in ROS_DOMAIN_ID {os.environ["ROS_DOMAIN_ID"]}' in text


def test_nodes_in_another_domain_are_mentioned(describe):
    domain = other_domain()
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    camera = rclpy.create_node('elsewhere', context=context)
    text = describe()
    camera.destroy_node()
    rclpy.shutdown(context=context)
    listed = text.partition('processes on this host use ')[2].partition(':')[0]
    assert str(domain) in listed.split(', ')


def test_colour_image_and_its_camera_info_are_suggested(describe):
    text = describe(
        __cam__depth__image_raw=Image,
        __cam__color__image_raw=Image,
        __cam__color__camera_info=CameraInfo,
    )
    assert 'image topics: /cam/color/image_raw, /cam/depth/image_raw;' in text
    assert text.endswith(
        'start the node with --ros-args -r image:=/cam/color/image_raw '
        '-r camera_info:=/cam/color/camera_info'
    )


def test_long_lists_are_cut(describe):
    topics = {f'__cam{index}__image_raw': Image for index in range(12)}
    assert '/cam7/image_raw' not in (text := describe(**topics))
    assert ' and 4 more; start' in text


@pytest.mark.parametrize('raw_exists', [False, True])
def test_raw_subscription_to_a_compressed_topic(node, describe, raw_exists):
    subscribe(node, topic='/cam/image_raw/compressed')
    wanted = WantedImages('/cam/image_raw/compressed', compressed=False)
    topics = {'__cam__image_raw__compressed': CompressedImage}
    text = describe(wanted, **topics, **({'__cam__image_raw': Image} if raw_exists else {}))
    assert 'of sensor_msgs/msg/CompressedImage, but this node expects sensor_msgs/msg/Im' in text
    assert text.endswith('--ros-args -r image:=/cam/image_raw -p image_transport:=compressed')
    assert 'LARGE_DATA' not in text


def test_compressed_subscription_to_a_raw_topic(node, describe):
    subscribe(node, CompressedImage, '/cam/image_raw')
    wanted = WantedImages('/cam/image_raw', compressed=True)
    text = describe(wanted, __cam__image_raw=Image)
    assert 'of sensor_msgs/msg/Image, but this node expects sensor_msgs/msg/Compressed' in text
    assert text.endswith('--ros-args -r image:=/cam/image_raw -p image_transport:=raw')


def test_subscription_to_a_topic_without_images(node, describe):
    subscribe(node)
    text = describe(__image=PointCloud2, __cam__image_raw__compressed=CompressedImage)
    assert 'has 1 publisher(s) of sensor_msgs/msg/PointCloud2, but' in text
    assert text.endswith('-r image:=/cam/image_raw -p image_transport:=compressed')


def test_publisher_that_sends_nothing(node, describe):
    subscribe(node)
    text = describe(__image=Image)
    assert 'it has 1 publisher(s), but nothing arrives: check that it publishes' in text
    assert 'ros2 topic hz /image' in text


def test_images_that_have_stopped(describe):
    stopped = WantedImages('/image', compressed=False, arrived=True)
    assert describe(stopped).startswith('no more images on /image for 5 s; it has 0 publisher(s)')
    text = describe(stopped, __image=Image)
    assert text.endswith('it has 1 publisher(s): check the camera driver')


def test_incompatible_qos(graph, camera):
    override = {'qos_overrides./image.subscription.reliability': 'reliable'}
    node = graph.node('reliable', **override)
    subscribe(node)
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    camera.create_publisher(Image, 'image', qos)
    graph.spin_until(lambda: is_known(node, '/image'))
    text = describe_missing_images(node, IMAGE, 5.0)
    assert 'QoS is incompatible' in text
    assert 'qos_overrides./image.subscription' in text


@pytest.fixture
def describe_info(graph, node, camera):
    """Return a function: create publishers, wait, describe the missing camera_info."""

    def describe(kinds, image='/cam/image_raw'):
        for topic, kind in kinds.items():
            camera.create_publisher(kind, topic, 1)
            graph.spin_until(lambda topic=topic: is_known(node, topic))
        return describe_missing_camera_info(node, '/camera_info', image)

    return describe


def test_no_camera_info_topic_at_all(describe_info):
    start, advice = describe_info({})
    assert start == 'no camera_info on /camera_info, which has 0 publisher(s)'
    assert 'no other camera_info topic exists' in advice


def test_camera_info_beside_the_image_topic_is_suggested(describe_info):
    topics = ['/a/camera_info', '/depth/camera_info', '/cam/camera_info']
    _, advice = describe_info(dict.fromkeys(topics, CameraInfo))
    assert 'camera_info topics: /cam/camera_info, /a/camera_info; start' in advice
    assert advice.endswith('-r camera_info:=/cam/camera_info')


def test_camera_info_of_another_type(node, describe_info):
    wiring.create_input(node, wiring.Input(CameraInfo, 'camera_info', wiring.info_qos()), print)
    start, _ = describe_info({'/camera_info': Image})
    assert start.endswith('which has 1 publisher(s) of sensor_msgs/msg/Image')


def test_camera_info_that_is_not_sent(describe_info):
    start, advice = describe_info({'/camera_info': CameraInfo})
    assert start.endswith('which has 1 publisher(s)')
    assert 'check that it publishes (ros2 topic hz /camera_info)' in advice
