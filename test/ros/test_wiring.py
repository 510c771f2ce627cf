"""QoS, and the warnings about topics that do not connect, between real nodes."""

import pytest
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from flashdepth_ros.ros import wiring
from flashdepth_ros.ros.transport import Transport
from support.ros_graph import best_effort_input, warnings_in

LARGE_DATA = {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}
LOCALHOST = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


def test_default_qos_and_overrides(graph):
    plain = graph.node('plain')
    image = Transport(raw=True).subscribe(plain, best_effort_input(Image), print, print)
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


def test_lifecycle_node_publishes_only_while_active(graph):
    node = graph.node('managed', LifecycleNode)
    received = []
    node.create_subscription(CameraInfo, 'depth/camera_info', received.append, 2)
    publisher = wiring.create_output(node, CameraInfo, 'depth/camera_info')
    graph.spin_until(publisher.get_subscription_count)
    publisher.publish(CameraInfo(width=1))
    node.trigger_configure()
    node.trigger_activate()
    publisher.publish(CameraInfo(width=2))
    graph.spin_until(lambda: received)
    assert [message.width for message in received] == [2]


@pytest.mark.parametrize(
    ('policy', 'ours', 'theirs'),
    [
        ('reliability', ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT),
        ('durability', DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE),
    ],
)
def test_publisher_with_incompatible_qos_is_warned_of_once(graph, capfd, policy, ours, theirs):
    override = f'qos_overrides./image.subscription.{policy}'
    node = graph.node('depth', **{override: ours.name.lower()})
    camera = graph.node('camera')
    Transport(raw=True).subscribe(node, best_effort_input(Image), print, print)
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
def test_subscription_with_incompatible_qos_is_warned_of_once(graph, capfd, policy, ours, theirs):
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


def test_suggested_override_connects_the_nodes(graph, capfd):
    node = graph.node('depth', **{'qos_overrides./image.subscription.reliability': 'best_effort'})
    received = []
    Transport(raw=True).subscribe(
        node, best_effort_input(Image), lambda *item: received.append(item), print
    )
    publisher = graph.node('camera').create_publisher(
        Image, 'image', QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    graph.spin_until(publisher.get_subscription_count)
    publisher.publish(Image())
    graph.spin_until(lambda: received)
    assert not warnings_in(capfd)


@pytest.mark.parametrize(
    ('size_bytes', 'environ', 'rmw', 'warns'),
    [
        (1_000_000, {}, 'rmw_fastrtps_cpp', True),
        (1_000_000, {'FASTDDS_BUILTIN_TRANSPORTS': 'DEFAULT'}, 'rmw_fastrtps_dynamic_cpp', True),
        (1_000_000, {'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}, 'rmw_fastrtps_cpp', True),
        (1_000_000, {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}, 'rmw_fastrtps_cpp', False),
        (1_000_000, {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA?x=1'}, 'rmw_fastrtps_cpp', False),
        (1_000_000, {'FASTRTPS_DEFAULT_PROFILES_FILE': 'a.xml'}, 'rmw_fastrtps_cpp', False),
        (1_000_000, {'FASTDDS_DEFAULT_PROFILES_FILE': 'a.xml'}, 'rmw_fastrtps_cpp', False),
        (1_000_000, {**LARGE_DATA, **LOCALHOST}, 'rmw_fastrtps_cpp', True),
        (1_000_000, {**LARGE_DATA, 'ROS_LOCALHOST_ONLY': '1'}, 'rmw_fastrtps_cpp', True),
        (1_000_000, {'FASTRTPS_DEFAULT_PROFILES_FILE': 'a', **LOCALHOST}, 'rmw_fastrtps', False),
        (1_000_000, {}, 'rmw_cyclonedds_cpp', False),
        (wiring.LARGE_MESSAGE_BYTES, {}, 'rmw_fastrtps_cpp', False),
    ],
)
def test_warning_for_large_images_without_large_data(size_bytes, environ, rmw, warns):
    advice = wiring.large_message_advice(size_bytes, environ, rmw)
    assert (advice is not None) == warns
    if warns:
        local = {'ROS_LOCALHOST_ONLY', *LOCALHOST} & set(environ)
        setting = 'DEFAULT_PROFILES_FILE=' if local else 'FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA'
        assert setting in advice
        assert ('different users' in advice) == ('UDPv4' in environ.values())
