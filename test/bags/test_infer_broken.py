"""Whatever stops `flashdepth infer`: one line says so, and no bag is left that readers refuse."""

from contextlib import contextmanager
import re
import resource
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, BagWriter
from flashdepth_ros.cli import main
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
        said = capsys.readouterr().err.splitlines()
        assert [line.startswith('flashdepth infer: ') for line in said][-2:] in (
            [True],
            [False, True],
        )
        return said[-1]

    return run


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def kept(path):
    """Return the stamps of depth in a bag that must be whole, and its notes."""
    with BagReader(path) as bag:
        records = list(bag.records('/depth/image'))
        assert all(bag.message(record).height for record in records)
        return [bag.header_stamp_ns(record) for record in records], bag.notes


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
def test_the_frames_before_damage_are_kept(failing, tmp_path, options):
    said = failing(damaged(tmp_path / 'bag'), *options)
    stamps, notes = kept(tmp_path / 'out')
    assert stamps == [stamp_of(index) for index in range(len(stamps))]
    assert 5 < len(stamps) < 30
    assert 'is damaged: ' in said
    assert said.endswith(f'the first {len(stamps)} of 30 frames are kept in {tmp_path / "out"}')
    assert notes['frames'] == f'{len(stamps)} of 30'
    assert notes['stopped'] in said


def test_broken_frames_are_passed_over_and_told(tmp_path, model, capsys):
    messages = [('/cam', image(n, step=7 if n in (1, 2) else 24)) for n in range(5)]
    bag = write(tmp_path / 'bag', *messages)
    assert main(['infer', str(bag), '-o', str(tmp_path / 'out'), *model]) == 0
    heard = capsys.readouterr()
    assert heard.err.count('frame skipped: image step is 7 bytes') == 2
    assert '3 frames' in heard.out
    assert '2 skipped' in heard.out
    assert kept(tmp_path / 'out')[0] == [stamp_of(n) for n in (0, 3, 4)]


def test_without_one_good_frame_no_bag_is_left(failing, tmp_path):
    bag = write(tmp_path / 'bag', *(('/cam', image(n, encoding='odd')) for n in range(3)))
    assert 'no frame of /cam (sensor_msgs/msg/Image, 3 messages) can be used' in failing(bag)
    assert left(tmp_path) == ['bag']


def truncated(folder):
    path = write(folder / 'bag', *camera_messages())
    storage = path / 'bag.mcap'
    storage.write_bytes(storage.read_bytes()[:-3000])
    return path


def without_metadata(folder):
    path = write(folder / 'bag', *camera_messages())
    (path / 'metadata.yaml').unlink()
    return path


def silent(folder):
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
    metadata = path / 'metadata.yaml'
    head, _, tail = metadata.read_text().rpartition('sensor_msgs/msg/Image')
    metadata.write_text(f'{head}robot_msgs/msg/Odd{tail}')
    return path


@pytest.mark.parametrize(
    ('make', 'options', 'reason'),
    [
        (truncated, [], 'bag: cannot be opened: '),
        (without_metadata, [], 'no metadata.yaml, the recorder was killed'),
        (silent, [], 'holds no messages'),
        (
            stereo,
            [],
            '2 topics may be meant, name one: /left (sensor',
        ),
        (stereo, ['--topic', '/up'], "no topic '/up'; the bag has /left (sensor"),
        (stereo, ['--topic', '/left', '--copy', '/up'], "no topic '/up'"),
        (stereo, ['--topic', '/left', '--weights', '/nowhere.pth'], '/nowhere.pth'),
        (
            stereo,
            ['--topic', '/left', '--depth-min', '9', '--depth-max', '8'],
            'depth.min 9.0 and',
        ),
        (of_unknown_type, ['--topic', '/odd'], '/odd (robot_msgs/msg/Odd, 1 messages) is not of'),
        (of_unknown_type, ['--copy'], "'robot_msgs/msg/Odd' is defined neither in the bag"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_nothing(
    failing, tmp_path, make, options, reason
):
    assert reason in failing(make(tmp_path), *options)
    assert left(tmp_path) == ['bag']


def test_nothing_is_written_over_unasked(failing, tmp_path):
    bag = write(tmp_path / 'out', *camera_messages(1))
    before = (bag / 'out.mcap').read_bytes()
    assert 'is what is read; give another name' in failing(bag, '--overwrite')
    other = write(tmp_path / 'bag', *camera_messages(1))
    assert 'exists already; give another name or allow overwriting' in failing(other)
    assert (bag / 'out.mcap').read_bytes() == before


@contextmanager
def files_up_to(size):
    """Let no file grow beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_full_disk_is_told_and_leaves_nothing(failing, tmp_path, storage):
    size = (200, 300)
    bag = write(tmp_path / 'bag', *camera_messages(30, size))
    with files_up_to(3_000_000):
        said = failing(bag, '--storage', storage)
    assert f'{tmp_path / "out"}: cannot be written: ' in said
    assert left(tmp_path) == ['bag']


def await_progress(stream):
    """Read a progress bar until it has counted some of 60 frames."""
    said = b''
    while not re.search(rb' [1-9]\d*/60', said):
        octet = stream.read(1)
        assert octet, said
        said += octet


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_keeps_what_is_done_or_leaves_nothing(tmp_path, model, number):
    bag = write(tmp_path / 'bag', *camera_messages(60))
    command = [sys.executable, '-m', 'flashdepth_ros.cli', 'infer', str(bag)]
    command += ['-o', str(tmp_path / 'out'), *model, '--short-side', '280']
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        await_progress(process.stderr)
        process.send_signal(number)
        said = process.communicate(timeout=30)[1].decode()
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        assert left(tmp_path) == ['.out.unfinished', 'bag']
    else:
        assert process.returncode == 130
        stamps, notes = kept(tmp_path / 'out')
        assert stamps == [stamp_of(index) for index in range(len(stamps))]
        assert 1 <= len(stamps) < 60
        assert notes['stopped'] == 'interrupted'
        assert said.splitlines()[-1].startswith(
            f'flashdepth infer: interrupted; the first {len(stamps)} of 60 frames are kept in '
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
    assert len(kept(tmp_path / 'out')[0]) == 60
    assert left(tmp_path) == ['bag', 'out']
