"""The image subscription is reliable if its publishers are, or as set by the user."""

import pytest
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image

from flashdepth_ros.ros.reliability import Reliability
from support.node_bench import BEST_EFFORT, RELIABLE, random_image, start_bench, values_of
from support.node_process import golden_weights


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('reliability')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    with start_bench(folder, model='flashdepth-tiny-s', weights=weights) as bench:
        yield bench


def policies(bench):
    subscriptions = bench.node.get_subscriptions_info_by_topic('/image')
    return {
        each.qos_profile.reliability for each in subscriptions if each.node_name == 'flashdepth'
    }


def test_no_image_is_lost_or_processed_twice_while_the_subscription_changes(bench):
    camera = bench.create_publisher(qos=RELIABLE)
    times = bench.process_all(camera, [bench.image(random_image(index)) for index in range(20)])
    bench.spin_until(lambda: policies(bench) == {ReliabilityPolicy.RELIABLE})
    times += bench.process_all(camera, [bench.image(random_image(index)) for index in range(5)])
    assert [each['reset_reason'] for each in times] == ['first_frame'] + 24 * ['']
    assert [int(each['frames_since_reset']) for each in times] == list(range(25))
    assert bench.wait_for(processed='25')['dropped_transport'] == '0'
    bench.node.destroy_publisher(camera)


def test_old_subscription_stays_until_the_new_one_receives_an_image(bench):
    both = {ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE}
    bench.spin_until(lambda: policies(bench) == both)
    camera = bench.create_publisher(qos=RELIABLE)
    bench.spin_for(1.5)
    assert policies(bench) == both
    bench.process_all(camera, [bench.image(random_image(0))])
    bench.spin_until(lambda: policies(bench) == {ReliabilityPolicy.RELIABLE})
    bench.node.destroy_publisher(camera)


def test_later_best_effort_publisher_is_received(bench):
    camera = bench.node.create_publisher(Image, '/image', BEST_EFFORT)
    bench.spin_until(camera.get_subscription_count)
    bench.timing.clear()
    bench.connect(camera, bench.image(random_image(0)), bench.timing)
    bench.spin_until(lambda: policies(bench) == {ReliabilityPolicy.BEST_EFFORT})
    assert values_of(bench.timing[-1])['reset_reason'] in ('publisher_restarted', '')


@pytest.mark.parametrize(
    ('override', 'offered', 'expected'),
    [
        (None, [], ReliabilityPolicy.BEST_EFFORT),
        (None, [RELIABLE], ReliabilityPolicy.RELIABLE),
        (None, [RELIABLE, BEST_EFFORT], ReliabilityPolicy.BEST_EFFORT),
        ('reliable', [BEST_EFFORT], ReliabilityPolicy.RELIABLE),
        ('best_effort', [RELIABLE], ReliabilityPolicy.BEST_EFFORT),
    ],
)
def test_override_takes_precedence_over_the_publishers(graph, override, offered, expected):
    name = 'qos_overrides./elsewhere.subscription.reliability'
    node = graph.node('depth', **({name: override} if override else {}))
    reliability = Reliability(node, '/elsewhere')
    camera = graph.node('camera')
    for qos in offered:
        camera.create_publisher(Image, '/elsewhere', qos)
    graph.spin_until(lambda: node.count_publishers('/elsewhere') == len(offered))
    assert reliability.policy() == expected
    assert reliability.is_automatic == (override is None)
    assert Reliability(node, '/elsewhere').policy() == expected
