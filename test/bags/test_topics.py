"""`flashdepth topics`: the topics of a recording that the depth node needs."""

import json
import re

import numpy as np
import pytest
from rclpy.validate_full_topic_name import validate_full_topic_name

from flashdepth_ros.bags import BagReader
from flashdepth_ros.bags.topics import find_inputs
from flashdepth_ros.cli import main
from flashdepth_ros.errors import BagError
from support.recordings import camera_messages, compressed, image, info, write

RAW, COMPRESSED = image(0), compressed(0)
DEPTH = image(0, encoding='16UC1', step=16, data=np.ones((6, 16), np.uint8))


def inputs_of(folder, topics, **chosen):
    with BagReader(write(folder / 'bag', *topics.items())) as bag:
        return find_inputs(bag, **chosen)


@pytest.mark.parametrize(
    ('topics', 'chosen', 'image_topic', 'transport'),
    [
        ({'/a/image': RAW, '/a/depth': DEPTH}, {}, '/a/image', 'raw'),
        ({'/a/image/compressed': COMPRESSED, '/d': DEPTH}, {}, '/a/image', 'compressed'),
        ({'/a/image': RAW, '/a/image/compressed': COMPRESSED}, {}, '/a/image', 'raw'),
        (
            {'/a/image': RAW, '/a/image/compressed': COMPRESSED},
            {'transport': 'compressed'},
            '/a/image',
            'compressed',
        ),
        ({'/a/image': RAW, '/b/image': RAW}, {'image': '/b/image'}, '/b/image', 'raw'),
        (
            {'/a/image': RAW, '/b/image/compressed': COMPRESSED},
            {'image': '/b/image'},
            '/b/image',
            'compressed',
        ),
        ({'/a/jpeg': COMPRESSED}, {}, '/a/jpeg', 'compressed'),
        ({'/device 0/Color-1': RAW}, {}, '/device_0/Color_1', 'raw'),
        ({'/0/image': RAW}, {}, '/_0/image', 'raw'),
        ({'image': RAW}, {}, '/image', 'raw'),
    ],
)
def test_image_and_transport_are_found(tmp_path, topics, chosen, image_topic, transport):
    inputs = inputs_of(tmp_path, topics, **chosen)
    arguments = {'input_image_topic': image_topic, 'image_transport': transport}
    assert inputs.launch_arguments == arguments
    assert set(inputs.names) <= set(topics)
    for name in inputs.names.values():
        validate_full_topic_name(name)
    subscribed = image_topic if transport == 'raw' else f'{image_topic}/compressed'
    assert list(inputs.names.values()) == [subscribed]
    assert bool(inputs.remap_rules) == (subscribed not in topics)


def test_the_camera_info_of_the_image_is_found(tmp_path):
    topics = {'/b/image': RAW, '/a/camera_info': info(0), '/b/camera info': info(0)}
    inputs = inputs_of(tmp_path, topics)
    assert inputs.launch_arguments['input_camera_info_topic'] == '/b/camera_info'
    assert inputs.remap_rules == ['/b/camera info:=/b/camera_info']


def test_several_cameras_need_a_choice(tmp_path):
    with pytest.raises(BagError, match=re.escape('select one by name (--topic)')):
        inputs_of(tmp_path, {'/a/image': RAW, '/b/image': RAW})


def test_command_lists_all_topics_and_the_launch_arguments(tmp_path, capsys):
    bag = write(tmp_path / 'bag', ('/a/image', RAW), ('/a/depth', DEPTH))
    assert main(['topics', str(bag)]) == 0
    printed = capsys.readouterr().out
    assert '/a/depth (sensor_msgs/msg/Image, 1 messages)' in printed
    assert 'input_image_topic:=/a/image image_transport:=raw' in printed
    assert main(['topics', str(bag), '--json']) == 0
    assert json.loads(capsys.readouterr().out)['topics'] == ['/a/image']


@pytest.mark.parametrize(
    ('options', 'found'),
    [
        ([], 'nothing found for depth.launch.py'),
        (['--color'], 'nothing found for depth.launch.py'),
        (['--color', '--copy'], 'input_image_topic:=/cam/image'),
        (['--color', '--copy', '--namespace', '/robot'], 'input_image_topic:=/cam/image'),
    ],
)
def test_outputs_of_infer_are_no_camera(tmp_path, capsys, options, found):
    bag = write(tmp_path / 'bag', *camera_messages(2, (56, 70)))
    out = tmp_path / 'out'
    small = ['--short-side', '56', '--engine', 'torch']
    assert main(['infer', str(bag), '-o', str(out), *small, *options]) == 0
    capsys.readouterr()
    assert main(['topics', str(out)]) == 0
    text = capsys.readouterr().out
    assert 'depth/image' in text
    assert found in text
    assert ':=/depth' not in text
    assert main(['topics', str(out), '--json']) == (1 if 'nothing' in found else 0)
