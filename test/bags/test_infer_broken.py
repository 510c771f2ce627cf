"""Errors of `flashdepth infer` print one line, and no invalid bag is left."""

import re
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, BagWriter
from flashdepth_ros.cli import main
from flashdepth_ros.errors import BagError
from support.full_disk import file_size_limit
from support.node_process import ROOT, golden_weights
from support.recordings import camera_messages, image, stamp_of, write

MODEL = 'flashdepth-tiny-s'


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    weights = golden_weights(tmp_path_factory.mktemp('weights'), MODEL)
    return ('--model', MODEL, '--weights', str(weights), '--engine', 'torch')


@pytest.fixture
def failing(tmp_path, model, capsys):
    """Run `flashdepth infer BAG -o out`, which must fail; return its last line."""

    def run(bag, *options):
        command = ['infer', str(bag), '-o', str(tmp_path / 'out'), *model, *options]
        assert main(command) == 1
        lines = capsys.readouterr().err.splitlines()
        assert [line.startswith('flashdepth infer: ') for line in lines][-2:] in (
            [True],
            [False, True],
        )
        return lines[-1]

    return run


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def read_output(path):
    """Return the stamps of depth in a bag that must be valid, and its custom data."""
    with BagReader(path) as bag:
        records = list(bag.records('/depth/image'))
        assert all(bag.message(record).height for record in records)
        return [bag.header_stamp_ns(record) for record in records], bag.custom_data


def damaged(path):
    """Write a bag with damage in the middle."""
    noise = np.random.default_rng(1).integers(0, 256, (30, 200, 200, 3), np.uint8)
    write(path, *(('/cam', image(index, rgb)) for index, rgb in enumerate(noise)), compress=True)
    storage = path / 'bag.mcap'
    content = bytearray(storage.read_bytes())
    content[2_000_000:2_200_000] = bytes(200_000)
    storage.write_bytes(content)
    return path


@pytest.mark.parametrize('options', [[], ['--copy'], ['--storage', 'sqlite3']])
def test_frames_around_damage_are_kept(failing, tmp_path, options):
    error = failing(damaged(tmp_path / 'bag'), *options)
    stamps, metadata = read_output(tmp_path / 'out')
    assert stamps == sorted(set(stamps))
    assert {stamps[0], stamps[-1]} == {stamp_of(0), stamp_of(29)}
    assert 5 < len(stamps) < 30
    assert 'is damaged: ' in error
    assert f'{len(stamps)} of the 30 messages on /cam can be read' in error
    assert error.endswith(f'{len(stamps)} of 30 frames are kept in {tmp_path / "out"}')
    assert metadata['frames'] == f'{len(stamps)} of 30'
    assert metadata['stopped'] in error


def test_invalid_frames_are_skipped_and_reported(tmp_path, model, capsys):
    messages = [('/cam', image(n, step=7 if n in (1, 2) else 24)) for n in range(5)]
    bag = write(tmp_path / 'bag', *messages)
    assert main(['infer', str(bag), '-o', str(tmp_path / 'out'), *model]) == 0
    printed = capsys.readouterr()
    assert printed.err.count('frame skipped: image step is 7 bytes') == 2
    assert '3 frames' in printed.out
    assert '2 skipped' in printed.out
    assert read_output(tmp_path / 'out')[0] == [stamp_of(n) for n in (0, 3, 4)]


def test_no_bag_is_left_without_a_valid_frame(failing, tmp_path):
    bag = write(tmp_path / 'bag', *(('/cam', image(n, encoding='odd')) for n in range(3)))
    assert 'no valid frame on /cam (sensor_msgs/msg/Image, 3 messages)' in failing(bag)
    assert names_in(tmp_path) == ['bag']


def truncated(folder):
    path = write(folder / 'bag', *camera_messages())
    storage = path / 'bag.mcap'
    storage.write_bytes(storage.read_bytes()[:100])
    return path


def empty(folder):
    with BagWriter(folder / 'bag') as bag:
        bag.add_topic('/cam', 'sensor_msgs/msg/Image')
    return folder / 'bag'


def stereo(folder):
    return write(folder / 'bag', ('/left', image(0)), ('/right', image(0)))


def of_unknown_type(folder):
    path = write(folder / 'bag', ('/cam', image(0)), ('/odd', image(0)), storage='sqlite3')
    with sqlite3.connect(path / 'bag.db3') as database:
        database.execute("UPDATE topics SET type = 'robot_msgs/msg/Odd' WHERE name = '/odd'")
    database.close()
    return path


@pytest.mark.parametrize(
    ('make', 'options', 'reason'),
    [
        (truncated, [], 'holds no messages; the file is not finished, it ends after 100 bytes'),
        (empty, [], 'holds no messages'),
        (
            stereo,
            [],
            '2 topics match, select one by name (--topic): /left (sensor',
        ),
        (stereo, ['--topic', '/up'], "no topic '/up'; the bag has /left (sensor"),
        (stereo, ['--topic', '/left', '--copy', '/up'], "no topic '/up'"),
        (stereo, ['--topic', '/left', '--weights', '/nowhere.pth'], '/nowhere.pth'),
        (
            stereo,
            ['--topic', '/left', '--depth-min', '9', '--depth-max', '8'],
            'depth.min 9.0 and',
        ),
        (
            of_unknown_type,
            ['--topic', '/odd'],
            '/odd (robot_msgs/msg/Odd, 1 messages) cannot be used',
        ),
        (
            of_unknown_type,
            ['--copy', '/odd'],
            "'robot_msgs/msg/Odd' is defined neither in the bag",
        ),
    ],
)
def test_invalid_input_prints_one_line_and_leaves_no_bag(failing, tmp_path, make, options, reason):
    assert reason in failing(make(tmp_path), *options)
    assert names_in(tmp_path) == ['bag']


def test_a_topic_without_a_definition_is_left_out_of_the_copy(tmp_path, model, capsys):
    bag, out = of_unknown_type(tmp_path), tmp_path / 'out'
    assert main(['infer', str(bag), '-o', str(out), *model, '--copy']) == 0
    warning = 'not copied, since the bag has no usable definition: /odd (robot_msgs/msg/Odd)'
    assert capsys.readouterr().err.count(warning) == 1
    with BagReader(out) as bag:
        assert {topic.name for topic in bag.topics} == {'/cam', '/depth/image'}


def test_what_a_killed_recorder_left_is_used(failing, tmp_path):
    path = write(tmp_path / 'bag', *camera_messages())
    (path / 'metadata.yaml').unlink()
    error = failing(path)
    assert 'it has no metadata.yaml: the recorder was killed; 6 of 6 frames are kept' in error
    assert len(read_output(tmp_path / 'out')[0]) == 6


@pytest.mark.parametrize('output', ['.', '..', './', '/', '../folder/.'])
def test_the_working_folder_as_output_is_one_line(tmp_path, model, monkeypatch, capsys, output):
    bag, folder = write(tmp_path / 'bag', *camera_messages(1)), tmp_path / 'folder'
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert main(['infer', str(bag), '-o', output, *model]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert 'already exists; give another name' in line
    assert names_in(tmp_path) == ['bag', 'folder']


def test_output_below_a_file_is_one_line(failing, tmp_path):
    bag = write(tmp_path / 'bag', *camera_messages(1))
    (tmp_path / 'out').write_text('a file')
    assert 'already exists' in failing(bag)
    with pytest.raises(BagError, match='cannot be created'), BagWriter(tmp_path / 'out' / 'new'):
        pass


def test_existing_bags_are_not_overwritten_by_default(failing, tmp_path):
    bag = write(tmp_path / 'out', *camera_messages(1))
    before = (bag / 'out.mcap').read_bytes()
    assert 'is the input bag; give another output name' in failing(bag, '--overwrite')
    other = write(tmp_path / 'bag', *camera_messages(1))
    assert 'already exists; give another name, or use --overwrite' in failing(other)
    assert (bag / 'out.mcap').read_bytes() == before


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_full_disk_prints_an_error_and_leaves_no_bag(failing, tmp_path, storage):
    size = (200, 300)
    bag = write(tmp_path / 'bag', *camera_messages(30, size))
    with file_size_limit(3_000_000):
        error = failing(bag, '--storage', storage)
    assert f'{tmp_path / "out"}: cannot be written: ' in error
    assert names_in(tmp_path) == ['bag']


def await_progress(stream):
    """Read a progress bar until it shows the first of 60 frames."""
    output = b''
    while not re.search(rb' [1-9]\d*/60', output):
        byte = stream.read(1)
        assert byte, output
        output += byte


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_interrupted_run_keeps_its_frames_and_killed_run_leaves_no_bag(tmp_path, model, number):
    bag = write(tmp_path / 'bag', *camera_messages(60))
    command = [sys.executable, '-m', 'flashdepth_ros.cli', 'infer', str(bag)]
    command += ['-o', str(tmp_path / 'out'), *model, '--short-side', '280']
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        await_progress(process.stderr)
        process.send_signal(number)
        output = process.communicate(timeout=30)[1].decode()
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        assert names_in(tmp_path) == ['.out.unfinished', 'bag']
    else:
        assert process.returncode == 130
        stamps, metadata = read_output(tmp_path / 'out')
        assert stamps == [stamp_of(index) for index in range(len(stamps))]
        assert 1 <= len(stamps) < 60
        assert metadata['stopped'] == 'interrupted'
        assert output.splitlines()[-1].startswith(
            f'flashdepth infer: interrupted; {len(stamps)} of 60 frames are kept in '
        )
    again = [
        'infer',
        str(bag),
        '-o',
        str(tmp_path / 'out'),
        *model,
        '--overwrite',
        '--short-side',
        '14',
    ]
    assert main(again) == 0
    assert len(read_output(tmp_path / 'out')[0]) == 60
    assert names_in(tmp_path) == ['bag', 'out']
