"""`flashdepth demo`: real processes over DDS, from a recording to pictures and figures."""

import csv
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time
from uuid import uuid4

import cv2
import numpy as np
import pytest
import torch

from flashdepth_ros.bags import BagWriter
from flashdepth_ros.bags.camera import Camera, CameraFrame, with_field_of_view
from flashdepth_ros.network import create_model
from flashdepth_ros.network.checkpoint import save_weights
from flashdepth_ros.tools.demo.command import graph_environment
from support.paths import ROOT

FRAMES = 15
STEP_NS = 50_000_000


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A recording of fifteen frames with true depth, and weights that see a wall at 2.5 m."""
    folder = tmp_path_factory.mktemp('demo')
    camera = Camera(with_field_of_view(160, 120, 70.0), jpeg_quality=90)
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (30, 40, 3), np.uint8)
    with BagWriter(folder / 'bag') as bag:
        for index in range(FRAMES):
            rgb = np.roll(texture, index, axis=1).repeat(4, axis=0).repeat(4, axis=1)
            depth = np.full((120, 160), 2.0 + 0.1 * index, np.float32)
            depth[:, :80] = 4.0
            frame = CameraFrame(10**9 + index * STEP_NS, rgb, depth, np.eye(4))
            for record in camera.records(frame):
                bag.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
    torch.manual_seed(0)
    model = create_model('flashdepth-tiny-s')
    model.decoder.head.conv3.bias.data.fill_(40.0)
    model.decoder.head.conv3.weight.data.mul_(300.0)
    save_weights(model.state_dict(), folder / 'weights.safetensors', torch.float32, {})
    return folder


class Demo:
    """The command as a process; its descendants can be told from all others."""

    def __init__(self, folder, *arguments):
        self.mark = f'FLASHDEPTH_TEST={uuid4()}'
        self.output = folder / f'output_{uuid4().hex}'
        name, value = self.mark.split('=')
        network = ('--model', 'flashdepth-tiny-s', '--short-side', '112', '--device', 'cpu')
        self.process = subprocess.Popen(
            [
                *(sys.executable, '-m', 'flashdepth_ros.cli', 'demo', *network),
                *('--output', str(self.output), *map(str, arguments)),
            ],
            cwd=ROOT,
            env={**os.environ, name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def living(self):
        """Return the processes that this one has started, those that lost their parent too."""
        found = []
        for process in Path('/proc').glob('[0-9]*'):
            try:
                if self.mark.encode() in (process / 'environ').read_bytes().split(b'\0'):
                    found.append(int(process.name))
            except OSError:
                continue
        return found


@pytest.fixture
def demo(folder):
    demos = []

    def start(*arguments):
        demos.append(Demo(folder, *arguments))
        return demos[-1]

    yield start
    for each in demos:
        each.process.kill()
        each.process.communicate()
        for process_id in each.living():
            os.kill(process_id, signal.SIGKILL)


def test_a_recording_becomes_pictures_a_cloud_and_figures(folder, demo):
    started = demo('--bag', folder / 'bag', '--weights', folder / 'weights.safetensors')
    said, progress = started.process.communicate(timeout=120)
    assert started.process.returncode == 0, progress
    assert not started.living()
    lines = {line.split()[0]: line for line in said.splitlines() if line}
    assert f'{FRAMES} sent' in lines['frames']
    processed = int(lines['frames'].split(' sent, ')[1].split()[0])
    assert 0 < processed <= FRAMES
    assert re.search('flashdepth-tiny-s, cpu, (fp32|bf16), openvino', lines['network'])
    assert lines['sequences'].split()[1:] == ['first_frame', '1']
    assert 0 < float(lines['aligned'].split()[2]) <= 1
    assert f'{FRAMES}/{FRAMES}' in progress

    files = {path.name: path for path in started.output.iterdir()}
    assert set(files) == {
        'contact_sheet.png',
        'depth.mp4',
        'cloud.ply',
        'timing.csv',
        'summary.txt',
    }
    assert files['summary.txt'].read_text(encoding='utf-8').strip() == said.strip()
    assert cv2.imread(str(files['contact_sheet.png'])).shape[0] > 3 * 240
    film = cv2.VideoCapture(str(files['depth.mp4']))
    assert processed <= film.get(cv2.CAP_PROP_FRAME_COUNT) <= FRAMES + 1
    assert b'element vertex' in files['cloud.ply'].read_bytes()[:200]
    with files['timing.csv'].open(encoding='utf-8', newline='') as file:
        stages = {row['stage']: float(row['p50_ms']) for row in csv.DictReader(file)}
    assert 0 < stages['inference'] < stages['all']


@pytest.mark.parametrize(
    ('request_to_end', 'when', 'processes'),
    [(signal.SIGINT, 'playing', 3), (signal.SIGTERM, 'loading', 2)],
)
def test_interrupted_it_leaves_neither_processes_nor_files(
    folder, demo, request_to_end, when, processes
):
    weights = ('--weights', folder / 'weights.safetensors')
    started = demo('--bag', folder / 'bag', *weights, '--rate', '0.01')
    while when not in (line := started.process.stderr.readline()):
        assert line, f'ended before {when}'
    time.sleep(1.0)
    assert len(started.living()) == processes
    started.process.send_signal(request_to_end)
    _, said = started.process.communicate(timeout=30)
    assert started.process.returncode == 130, said
    assert 'Traceback' not in said
    assert not started.living()
    assert not list(started.output.iterdir())


def test_a_node_that_dies_is_quoted(folder, demo):
    started = demo('--bag', folder / 'bag', '--weights', folder / 'none.pth')
    _, said = started.process.communicate(timeout=60)
    assert started.process.returncode == 1
    assert 'depth_node ended with status 1' in said
    assert 'none.pth: no such file' in said
    assert 'Traceback' not in said
    assert not started.living()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--bag', 'nothing'], 'nothing: no such bag'),
        (['--bag', '{folder}/bag', '--topic', '/other'], "no topic '/other'"),
        (['--bag', '{folder}/bag', '--rate', '0'], 'rate 0.0 is not possible'),
        (['--video', '{folder}/weights.safetensors'], 'OpenCV finds no video in it'),
    ],
)
def test_what_cannot_be_played_ends_with_one_line(folder, demo, arguments, message):
    started = demo(*(argument.format(folder=folder) for argument in arguments))
    said = started.process.communicate(timeout=60)[1]
    assert started.process.returncode == 1
    assert message in said.splitlines()[-1]
    assert 'Traceback' not in said


def test_the_graph_is_private_unless_the_user_chose_one():
    own = graph_environment({'PATH': '/bin'})
    assert 1 <= int(own['ROS_DOMAIN_ID']) <= 100
    assert own['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert own['FASTDDS_BUILTIN_TRANSPORTS'] == 'LARGE_DATA'
    chosen = {'ROS_DOMAIN_ID': '7', 'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}
    assert chosen.items() <= graph_environment(chosen).items()
