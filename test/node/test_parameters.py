"""The parameters: defaults, validation, and their declaration on a real node."""

from dataclasses import fields

import pytest
from rclpy.parameter import Parameter

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.node import parameters
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.runtime.setting_description import iter_settings, update


def test_every_default_is_allowed_and_described():
    defaults = {name: each.default for name, each, _ in iter_settings(Parameters)}
    assert update(Parameters(), defaults) == Parameters()
    assert len(defaults) == len(fields(Parameters))
    assert all(description.text for _, _, description in iter_settings(Parameters))


def test_update_returns_a_copy_with_the_changed_value():
    before = Parameters()
    after = update(before, {'depth.scale': 2.0, 'use_sim_time': True})
    assert after.depth_scale == 2.0
    assert before == Parameters()
    assert update(after, {'depth.scale': 1.0}) == before


@pytest.mark.parametrize(
    ('name', 'value', 'allowed'),
    [
        ('model', 'flashdepth-huge', 'flashdepth-tiny'),
        ('precision', 'fp8', 'bf16'),
        ('engine', 'onnx', 'torch'),
        ('device', 'cuda:x', 'cuda:N'),
        ('device', 'gpu', 'auto, cpu, cuda, cuda:N'),
        ('image_transport', 'theora', 'raw, compressed'),
        ('depth.encoding', 'mono16', '16UC1'),
        ('depth.size', 'half', 'inference'),
        ('points.stride', 0, '1 to 64'),
        ('reset.max_gap', -1.0, '0 to'),
        ('max_frame_age', float('nan'), '0 to'),
        ('depth.min', 100.0, 'less than'),
        ('color.max', 0.5, 'less than'),
        ('depth.scale', 'big', 'expected type float'),
        ('depth.scale', True, 'expected type float'),
        ('points.stride', 2.0, 'expected type int'),
    ],
)
def test_bad_value_is_refused_with_the_allowed_values(name, value, allowed):
    with pytest.raises(ConfigError, match=allowed):
        update(Parameters(), {name: value})


@pytest.mark.parametrize('device', ['auto', 'cpu', 'cuda', 'cuda:0', 'cuda:12'])
def test_valid_devices(device):
    assert update(Parameters(), {'device': device}).device == device


def test_node_declares_and_reads_parameters(graph):
    node = graph.node('depth', **{'depth.scale': 1.5, 'model': 'flashdepth-s'})
    scopes = parameters.declare(node)
    assert parameters.read(node, scopes).common == update(
        Parameters(), {'depth.scale': 1.5, 'model': 'flashdepth-s'}
    )
    for name, _, description in iter_settings(Parameters):
        descriptor = node.describe_parameter(name)
        assert descriptor.description == description.text
        constraints = descriptor.additional_constraints
        assert all(choice in constraints for choice in description.choices)
        assert parameters.is_static(name, scopes) == (
            'before the node is configured' in constraints
        )


def test_descriptor_refuses_values_out_of_range(graph):
    node = graph.node('depth')
    scopes = parameters.declare(node)
    (result,) = node.set_parameters([Parameter('points.stride', value=65)])
    assert not result.successful
    assert '64' in result.reason
    assert parameters.read(node, scopes).common == Parameters()


@pytest.mark.parametrize('names', [['front', 'front'], ['depth'], ['a/b'], [1, 2], [''], '2nd'])
def test_names_of_cameras_that_cannot_be_used(names):
    with pytest.raises(ConfigError, match='cameras'):
        parameters.read_cameras(names)


@pytest.mark.parametrize(
    ('value', 'names'), [(None, ()), ([], ()), ('front', ('front',)), (['a', 'B_2'], ('a', 'B_2'))]
)
def test_names_of_cameras(value, names):
    assert parameters.read_cameras(value) == names


def test_parameters_of_a_camera_follow_the_common_ones_until_they_are_set(graph):
    node = graph.node('depth', cameras=['front', 'rear'], **{'front.depth.scale': 2.0})
    scopes = parameters.declare(node)
    assert [scope.camera for scope in scopes] == ['front', 'rear']
    node.set_parameters([Parameter('depth.scale', value=3.0)])
    read = parameters.read(node, scopes, {'rear.points.stride': 8})
    assert [each.depth_scale for each in (read.common, *read.cameras)] == [3.0, 2.0, 3.0]
    assert [each.points_stride for each in (read.common, *read.cameras)] == [4, 4, 8]
    for name, _, description in iter_settings(Parameters):
        assert node.has_parameter(f'front.{name}') == (not description.shared)
    with pytest.raises(ConfigError, match=r'camera rear: .*depth\.min'):
        parameters.read(node, scopes, {'rear.depth.min': 200.0})
