"""QoS and advice between real nodes."""

import pytest
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from flashdepth_ros.ros import wiring
from flashdepth_ros.ros.transport import Transport
from support.ros_graph import best_effort, warnings_in


def test_qos_is_what_the_contract_says_and_can_be_overridden(graph):
    plain = graph.node('plain')
    image = Transport(raw=True).subscribe(plain, best_effort(Image), print, print)
    output = wiring.create_output(plain, Image, 'depth/image')
    assert image.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT
    assert image.qos_profile.depth == 1
    assert output.qos_profile.reliability is ReliabilityPolicy.RELIABLE
    assert output.qos_profile.depth == 2
    overridden = graph.node(
        'overridden', **{'qos_overrides./depth/image.publisher.reliability': 'best_effort'}
    )
    output = wiring.create_output(overridden, Image, 'depth/image')
    assert output.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT


def test_outputs_of_a_lifecycle_node_are_silent_until_it_is_active(graph):
    node = graph.node('managed', LifecycleNode)
    arrived = []
    node.create_subscription(CameraInfo, 'depth/camera_info', arrived.append, 2)
    publisher = wiring.create_output(node, CameraInfo, 'depth/camera_info')
    graph.spin_until(publisher.get_subscription_count)
    publisher.publish(CameraInfo(width=1))
    node.trigger_configure()
    node.trigger_activate()
    publisher.publish(CameraInfo(width=2))
    graph.spin_until(lambda: arrived)
    assert [message.width for message in arrived] == [2]


@pytest.mark.parametrize(
    ('policy', 'ours', 'theirs'),
    [
        ('reliability', ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT),
        ('durability', DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE),
    ],
)
def test_a_publisher_that_offers_too_little_is_explained_once(graph, capfd, policy, ours, theirs):
    override = f'qos_overrides./image.subscription.{policy}'
    node = graph.node('depth', **{override: ours.name.lower()})
    camera = graph.node('camera')
    Transport(raw=True).subscribe(node, best_effort(Image), print, print)
    for _ in range(2):
        camera.create_publisher(Image, 'image', QoSProfile(depth=1, **{policy: theirs}))
        graph.spin_for(0.3)
    (warning,) = [line for line in warnings_in(capfd) if '[depth]' in line]
    assert f'the publisher of /camera has {policy} {theirs.name.lower()}' in warning
    assert f'this subscription has {ours.name.lower()}' in warning
    assert f"'{override}' set to '{theirs.name.lower()}'" in warning


@pytest.mark.parametrize(
    ('policy', 'ours', 'theirs'),
    [
        ('reliability', ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE),
        ('durability', DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL),
    ],
)
def test_a_subscription_that_asks_too_much_is_explained_once(graph, capfd, policy, ours, theirs):
    override = f'qos_overrides./depth/image.publisher.{policy}'
    node = graph.node('depth', **{override: ours.name.lower()})
    viewer = graph.node('viewer')
    wiring.create_output(node, Image, 'depth/image')
    for _ in range(2):
        qos = QoSProfile(depth=1, **{policy: theirs})
        viewer.create_subscription(Image, 'depth/image', print, qos)
        graph.spin_for(0.3)
    (warning,) = [line for line in warnings_in(capfd) if '[depth]' in line]
    assert f'the subscription of /viewer has {policy} {theirs.name.lower()}' in warning
    assert f'this publisher has {ours.name.lower()}' in warning
    assert f"'{override}' set to '{theirs.name.lower()}'" in warning


def test_the_advice_of_the_warning_connects_the_two(graph, capfd):
    node = graph.node('depth', **{'qos_overrides./image.subscription.reliability': 'best_effort'})
    arrived = []
    Transport(raw=True).subscribe(
        node, best_effort(Image), lambda *item: arrived.append(item), print
    )
    publisher = graph.node('camera').create_publisher(
        Image, 'image', QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    graph.spin_until(publisher.get_subscription_count)
    publisher.publish(Image())
    graph.spin_until(lambda: arrived)
    assert not warnings_in(capfd)


def test_missing_images_are_explained_by_what_exists(graph):
    node = graph.node('depth')
    Transport(raw=True).subscribe(node, best_effort(Image), print, print)
    wiring.create_output(node, Image, 'depth/image')
    alone = wiring.describe_missing_images(node, 'image', '/image', 5.0)
    assert alone.startswith('no images on /image for 5 s; it has 0 publisher(s)')
    assert 'ROS_DOMAIN_ID' in alone
    camera = graph.node('camera')
    camera.create_publisher(Image, 'front/image_raw', 1)
    camera.create_publisher(CompressedImage, 'front/image_raw/compressed', 1)
    graph.spin_until(lambda: node.count_publishers('/front/image_raw/compressed'))
    elsewhere = wiring.describe_missing_images(node, 'image', '/image', 5.0)
    assert 'image topics: /front/image_raw, /front/image_raw/compressed;' in elsewhere
    assert '-r image:=/front/image_raw' in elsewhere
    camera.create_publisher(Image, 'image', 1)
    graph.spin_until(lambda: node.count_publishers('/image'))
    silent = wiring.describe_missing_images(node, 'image', '/image', 5.0)
    assert 'has 1 publisher(s), but nothing arrives' in silent


@pytest.mark.parametrize(
    ('size_bytes', 'environ', 'rmw', 'warns'),
    [
        (1_000_000, {}, 'rmw_fastrtps_cpp', True),
        (1_000_000, {'FASTDDS_BUILTIN_TRANSPORTS': 'DEFAULT'}, 'rmw_fastrtps_dynamic_cpp', True),
        (1_000_000, {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}, 'rmw_fastrtps_cpp', False),
        (1_000_000, {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA?x=1'}, 'rmw_fastrtps_cpp', False),
        (1_000_000, {'FASTRTPS_DEFAULT_PROFILES_FILE': 'a.xml'}, 'rmw_fastrtps_cpp', False),
        (1_000_000, {'FASTDDS_DEFAULT_PROFILES_FILE': 'a.xml'}, 'rmw_fastrtps_cpp', False),
        (1_000_000, {}, 'rmw_cyclonedds_cpp', False),
        (wiring.LARGE_MESSAGE_BYTES, {}, 'rmw_fastrtps_cpp', False),
    ],
)
def test_large_images_without_large_data_are_advised_on(size_bytes, environ, rmw, warns):
    advice = wiring.large_message_advice(size_bytes, environ, rmw)
    assert (advice is not None) == warns
    if warns:
        assert 'FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA' in advice
