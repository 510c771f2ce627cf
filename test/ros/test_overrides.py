"""What is set at start without effect is a warning with the nearest name; nothing else is."""

import pytest
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.ros.overrides import check_qos_overrides, describe_ineffective
from flashdepth_ros.ros.reliability import Reliability, reliability_parameter
from flashdepth_ros.ros.wiring import Input, create_input, create_output, info_qos

IMAGE = '/left/image'


@pytest.fixture
def describe(graph):
    """A function that returns the warnings about a node with these settings."""

    def describe(*arguments, **overrides):
        node = graph.node('flashdepth', namespaced, **overrides)
        node.declare_parameter('model', 'tiny')
        node.declare_parameter('depth.min', 0.1)
        create_input(node, Input(CameraInfo, 'camera_info', info_qos()), lambda _: None)
        create_output(node, Image, 'depth/image')
        node.create_service(Trigger, '~/reset', lambda _, response: response)
        words = ['depth_node', '--ros-args', *arguments]
        return list(describe_ineffective(node, [IMAGE, f'{IMAGE}/compressed'], words))

    return describe


def namespaced(name, **options):
    return Node(name, namespace='left', **options)


def test_no_warning_without_settings(describe):
    assert describe() == []


def test_known_parameters_give_no_warning(describe):
    known = {
        'model': 'small',
        'depth.min': 1.0,
        'use_sim_time': False,
        'qos_overrides./left/depth/image.publisher.depth': 3,
        'qos_overrides./left/image.subscription.reliability': 'reliable',
        'qos_overrides./left/image/compressed.subscription.depth': 2,
        'qos_overrides./clock.subscription.depth': 2,
    }
    assert describe(**known) == []


@pytest.mark.parametrize(
    ('name', 'nearest'),
    [
        ('modle', 'model'),
        ('depth.mni', 'depth.min'),
        ('depth_min', 'depth.min'),
        (
            'qos_overrides./left/depth/imgae.publisher.depth',
            'qos_overrides./left/depth/image.publisher.depth',
        ),
        (
            'qos_overrides./image.subscription.reliability',
            'qos_overrides./left/image.subscription.reliability',
        ),
    ],
)
def test_unknown_parameter_is_named_with_the_nearest_one(describe, name, nearest):
    (warning,) = describe(**{name: 1})
    assert f'{name} (did you mean {nearest}?)' in warning


def test_all_unknown_parameters_are_one_warning(describe):
    (warning,) = describe(modle='small', qwertz=1)
    assert warning.endswith('modle (did you mean model?), qwertz')


@pytest.mark.parametrize(
    ('sections', 'used'),
    [
        ('/left/flashdepth: {P}', True),
        ('left/flashdepth: {P}', True),
        ('left: {flashdepth: {P}}', True),
        ('/**: {P}', True),
        ('/*/flashdepth: {P}', True),
        ('/**/flashdepth: {P}', True),
        ('/left/*: {P}', True),
        ('other: {P}\n/left/flashdepth: {P}', True),
        ('flashdepth: {P}', False),
        ('/flashdepth: {P}', False),
        ('/left/flashdept: {P}', False),
        ('/*: {P}', False),
        ('{}', False),
        ('', False),
    ],
)
def test_parameter_file_without_a_section_for_the_node(describe, tmp_path, sections, used):
    file = tmp_path / 'parameters.yaml'
    file.write_text(sections.replace('{P}', '{ros__parameters: {model: small}}'))
    warnings = describe('--params-file', str(file))
    assert warnings == [] if used else [f'{file} has no effect' in each for each in warnings]
    assert len(warnings) == (not used)
    assert all('this node is /left/flashdepth' in warning for warning in warnings)


def test_parameter_of_another_node(describe):
    (warning,) = describe('-p', 'model:=small', '-p', 'flashdepht:depth.min:=1.0')
    assert 'flashdepht:depth.min' in warning


@pytest.mark.parametrize(
    ('name', 'nearest'), [('imgae', 'image'), ('depth/imagee', 'depth/image'), ('/points', '')]
)
def test_unknown_remap_is_named_with_the_nearest_topic(describe, name, nearest):
    (warning,) = describe('-r', f'{name}:=/other', '-r', '__node:=flashdepth')
    assert warning.endswith(f'{name} (did you mean {nearest}?)' if nearest else name)


def test_known_remaps_give_no_warning(describe):
    rules = ('image', 'image/compressed', 'camera_info', '/left/depth/image', '~/reset')
    words = [word for rule in rules for word in ('-r', f'{rule}:={rule}')]
    assert describe(*words) == []


def test_arguments_that_are_not_for_ros(describe):
    (warning,) = describe('--', 'small', '-p')
    assert 'small -p' in warning
    assert '--ros-args -p' in warning


def test_parameter_without_a_flag(describe):
    (warning,) = describe('--', 'model:=small', 'image:=/other')
    assert 'remaps without effect: model; these are parameters' in warning
    assert '--ros-args -p' in warning


@pytest.mark.parametrize(
    ('policy', 'value', 'allowed'),
    [
        ('publisher.reliability', 'relaible', 'reliable, best_effort'),
        ('publisher.durability', 'latched', 'transient_local, volatile'),
        ('publisher.history', 3, 'keep_last, keep_all'),
        ('publisher.depth', 0, 'an integer from 1'),
        ('publisher.depth', '3', 'an integer from 1'),
    ],
)
def test_qos_value_that_does_not_exist_is_refused(graph, policy, value, allowed):
    node = graph.node('depth', **{f'qos_overrides./points.{policy}': value})
    with pytest.raises(ConfigError, match=allowed):
        check_qos_overrides(node, [])


@pytest.mark.parametrize('value', ['automatic', 'reliable', 'best_effort'])
def test_reliability_of_the_images_has_its_own_values(graph, value):
    name = reliability_parameter('/image')
    node = graph.node('depth', **{name: value})
    check_qos_overrides(node, [name])
    assert Reliability(node, '/image').is_automatic == (value == 'automatic')


@pytest.mark.parametrize('value', ['relaible', 'system_default'])
def test_reliability_of_the_images_that_does_not_exist_is_refused(graph, value):
    node = graph.node('depth', **{reliability_parameter('/image'): value})
    with pytest.raises(ConfigError, match='automatic, reliable, best_effort'):
        Reliability(node, '/image')
