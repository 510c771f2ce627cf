"""Damaged bags give a one-line error, and a failed writer leaves no bag."""

import re
import signal
import sqlite3
import subprocess
import sys

import pytest
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.typesys import Stores, get_typestore

from flashdepth_ros.bags import BagReader, BagWriter, build_message, find_topic
from flashdepth_ros.errors import BagError
from support.paths import ROOT

IMAGE = 'sensor_msgs/msg/Image'
KINDS = [
    pytest.param({'storage': storage, 'compress': compress}, id=f'{storage}-{compress}')
    for storage in ('mcap', 'sqlite3')
    for compress in (False, True)
]


def write_images(path, **options):
    with BagWriter(path, **options) as bag:
        for index in range(5):
            bag.write('/image', build_message(IMAGE, height=index), index)
    return path


def read_all(path):
    with BagReader(path) as bag:
        return [bag.message(record) for record in bag.records()]


def test_failed_or_killed_writer_leaves_no_bag(tmp_path):
    with pytest.raises(ZeroDivisionError), BagWriter(tmp_path / 'bag') as bag:
        bag.write('/image', build_message(IMAGE), 1 // 0)
    assert list(tmp_path.iterdir()) == []
    script = (
        'import os, sys\n'
        'from flashdepth_ros.bags import BagWriter, build_message\n'
        'with BagWriter(sys.argv[1]) as bag:\n'
        "    bag.write('/clock', build_message('rosgraph_msgs/msg/Clock'), 0)\n"
        '    os.kill(os.getpid(), 9)\n'
    )
    command = [sys.executable, '-c', script, str(tmp_path / 'bag')]
    killed = subprocess.run(command, cwd=ROOT, check=False, timeout=30)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / 'bag').exists()
    assert list(tmp_path.iterdir()) == [tmp_path / '.bag.unfinished']
    write_images(tmp_path / 'bag')
    assert list(tmp_path.iterdir()) == [tmp_path / 'bag']


@pytest.mark.parametrize('options', KINDS)
@pytest.mark.parametrize('cut', [3, 3000, 10_000])
def test_truncated_bag_is_read_whole_or_raises_an_error(tmp_path, options, cut):
    path = write_images(tmp_path / 'bag', **options)
    storage = next(p for p in path.iterdir() if p.name != 'metadata.yaml')
    storage.write_bytes(storage.read_bytes()[:-cut])
    messages, error = [], ''
    try:
        messages = read_all(path)
    except BagError as caught:
        error = str(caught)
    problem = r'\S+/bag: (cannot be opened|is damaged|holds no messages)[^\n]+'
    assert len(messages) == 5 if not error else re.fullmatch(problem, error)


def test_truncated_ros1_bag_raises_an_error(tmp_path):
    path, store = tmp_path / 'old.bag', get_typestore(Stores.ROS1_NOETIC)
    with Ros1Writer(path) as bag:
        text = store.types['std_msgs/msg/String']('word')
        connection = bag.add_connection('/text', text.__msgtype__, typestore=store)
        bag.write(connection, 1, store.serialize_ros1(text, text.__msgtype__))
    assert [message.data for message in read_all(path)] == ['word']
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(BagError, match=r'old\.bag: cannot be opened: '):
        read_all(path)


def test_missing_files_and_messages_are_reported(tmp_path):
    with pytest.raises(BagError, match=r'absent: no such bag'):
        read_all(tmp_path / 'absent')
    path = write_images(tmp_path / 'bag')
    assert len(read_all(path / 'bag.mcap')) == 5
    with BagWriter(tmp_path / 'empty') as bag:
        bag.add_topic('/image', IMAGE)
    with pytest.raises(BagError, match='holds no messages'):
        read_all(tmp_path / 'empty')


def test_undefined_message_types_are_rejected(tmp_path):
    bag = BagWriter(tmp_path / 'bag')
    with bag, pytest.raises(BagError, match='is not in ROS 2 Jazzy'):
        bag.write_cdr('/wheels', 'robot_msgs/msg/Wheels', b'', 0)


def test_undefined_type_in_a_bag_gives_records_but_no_messages(tmp_path):
    path = write_images(tmp_path / 'bag', storage='sqlite3')
    unknown = 'robot_msgs/msg/Wheels'
    with sqlite3.connect(path / 'bag.db3') as database:
        database.execute('UPDATE topics SET type = ?', [unknown])
        database.execute('DELETE FROM message_definitions')
    database.close()
    with BagReader(path) as bag:
        assert bag.topic('image').type == unknown
        assert len(list(bag.records())) == 5
        with pytest.raises(BagError, match='is defined neither in the bag'):
            find_topic(bag, [unknown], matches=bool)
