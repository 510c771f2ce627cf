"""The Foxglove layout: complete, and every topic and key in it is one of the node."""

import json
import re

import pytest

from flashdepth_ros.node.statistics import STAGES
from support.node_bench import start_bench
from support.paths import ROOT

LAYOUT = json.loads((ROOT / 'config' / 'foxglove.json').read_text())
PANELS = LAYOUT['configById']
KINDS = {'Image', '3D', 'DiagnosticSummary', 'Plot'}
REMAPS = ('image:=/camera/image_raw', 'camera_info:=/camera/camera_info')
PATH = re.compile(r'(/[\w/]+)\.status\[:\]\.values\[:\]\{key=="(\w+)"\}\.value')


def panels_of(node):
    """Yield the panels of a node of the tree of splits, whose shares it checks."""
    if isinstance(node, str):
        yield node
        return
    assert set(node) == {'direction', 'first', 'second', 'splitPercentage'}
    assert node['direction'] in ('row', 'column')
    assert 0 < node['splitPercentage'] < 100
    yield from panels_of(node['first'])
    yield from panels_of(node['second'])


def plotted():
    """Return topic and key of each plotted path."""
    paths = [path['value'] for name in PANELS for path in PANELS[name].get('paths', [])]
    return [PATH.fullmatch(path).groups() for path in paths]


def topics():
    for config in PANELS.values():
        mode = config.get('imageMode', {})
        yield from (mode[key] for key in ('imageTopic', 'calibrationTopic') if key in mode)
        yield from config.get('topics', {})
        yield from filter(None, [config.get('topicToRender')])
    yield from (topic for topic, _ in plotted())


def test_the_layout_has_the_parts_that_the_importer_expects():
    assert set(LAYOUT) == {
        'configById',
        'globalVariables',
        'userNodes',
        'playbackConfig',
        'layout',
    }
    placed = list(panels_of(LAYOUT['layout']))
    assert sorted(placed) == sorted(PANELS)
    assert {name.partition('!')[0] for name in placed} == KINDS


def test_every_stage_is_plotted_and_every_path_is_complete():
    assert [key for _, key in plotted()] == list(STAGES)
    for path in PANELS['Plot!timing']['paths']:
        # A list of paths replaces Foxglove's defaults, so that each needs these.
        assert path['enabled']
        assert path['timestampMethod'] == 'receiveTime'


def test_every_topic_is_one_of_the_node_with_the_camera_of_the_examples(tmp_path):
    found = set(topics())
    assert {'/points', '/depth/image_color', '/diagnostics', '/flashdepth/timing'} < found
    with start_bench(tmp_path, *REMAPS, ready=None, autostart=False) as bench:
        known = {'/camera/image_raw'}
        for ask in (
            bench.node.get_publisher_names_and_types_by_node,
            bench.node.get_subscriber_names_and_types_by_node,
        ):
            known |= {topic for topic, _ in ask('flashdepth', '/')}
        assert found <= known


@pytest.mark.parametrize('name', [name for name in PANELS if name.startswith('3D!')])
def test_the_points_are_seen_from_behind_the_camera(name):
    config = PANELS[name]
    assert config['followTf'] == 'camera_optical_frame'
    assert all(topic['visible'] for topic in config['topics'].values())
    state = config['cameraState']
    # From the z axis, which points forward in an optical frame.
    assert 90 < state['phi'] < 180
    assert state['targetOffset'][2] > 0
