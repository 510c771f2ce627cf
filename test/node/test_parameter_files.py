"""The parameter files of machine classes: a node takes them without a warning."""

from functools import partial

import pytest
from rclpy.node import Node
import yaml

from flashdepth_ros.node import parameters
from flashdepth_ros.node.outputs import Outputs
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.ros.overrides import describe_ineffective
from flashdepth_ros.ros.transport import choose_transport
from flashdepth_ros.runtime.setting_description import iter_settings
from flashdepth_ros.runtime.settings import ineffective_settings, missing_metres
from support.paths import ROOT

FILES = sorted(set((ROOT / 'config').glob('*.yaml')) - {ROOT / 'config' / 'depth.yaml'})
BY_FILE = pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
DEFAULTS = {name: each.default for name, each, _ in iter_settings(Parameters)}


def values_in(file):
    return yaml.safe_load(file.read_text())['/**']['ros__parameters']


def test_there_is_a_file_for_each_class_of_machines():
    assert [file.stem for file in FILES] == ['desktop_gpu_2k', 'jetson', 'robot_cpu']


@BY_FILE
def test_a_node_takes_the_file_without_a_warning(graph, file):
    arguments = ['--ros-args', '--params-file', str(file)]
    node = graph.node('flashdepth', partial(Node, cli_args=arguments))
    scopes = parameters.declare(node)
    Outputs(scopes[0], choose_transport(node.get_logger()))
    read = parameters.read(node, scopes).common
    fields = {name: each.name for name, each, _ in iter_settings(Parameters)}
    assert {name: getattr(read, fields[name]) for name in values_in(file)} == values_in(file)
    assert not list(describe_ineffective(node, ['/image'], ['node', *arguments]))
    assert not missing_metres(read)
    assert not ineffective_settings(read)


@BY_FILE
def test_only_what_differs_from_the_default_is_listed_with_its_reason(file):
    assert not [name for name, value in values_in(file).items() if value == DEFAULTS[name]]
    lines = file.read_text().splitlines()
    start = lines.index('  ros__parameters:')
    for before, line in zip(lines[start:], lines[start + 1 :], strict=False):
        assert line.startswith('    # ') or before.startswith('    # '), line
