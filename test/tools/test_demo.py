"""`flashdepth demo`: processes over DDS, from a recording to files and a summary."""

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
from flashdepth_ros.bags.camera import Camera, CameraFrame, intrinsics_from_fov
from flashdepth_ros.network import create_model
from flashdepth_ros.network.checkpoint import save_weights
from flashdepth_ros.tools.demo.command import graph_environment
from support.paths import ROOT

FRAMES = 15
STEP_NS = 50_000_000


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A recording of fifteen frames with true depth, and weights that predict about 2.5 m."""
    folder = tmp_path_factory.mktemp('demo')
    camera = Camera(intrinsics_from_fov(160, 120, 70.0), jpeg_quality=90)
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
    """The command as a process; an environment variable identifies its child processes."""

    def __init__(self, folder, *arguments):
        self.variable = f'FLASHDEPTH_TEST={uuid4()}'
        self.output = folder / f'output_{uuid4().hex}'
        name, value = self.variable.split('=')
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

    def running_processes(self):
        """Return the ids of this process and its descendants, including orphaned ones."""
        process_ids = []
        for process in Path('/proc').glob('[0-9]*'):
            try:
                if self.variable.encode() in (process / 'environ').read_bytes().split(b'\0'):
                    process_ids.append(int(process.name))
            except OSError:
                continue
        return process_ids


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
        for process_id in each.running_processes():
            os.kill(process_id, signal.SIGKILL)


def test_demo_writes_images_video_cloud_and_timing(folder, demo):
    started = demo('--bag', folder / 'bag', '--weights', folder / 'weights.safetensors')
    summary, progress = started.process.communicate(timeout=120)
    assert started.process.returncode == 0, progress
    assert not started.running_processes()
    lines = {line.split()[0]: line for line in summary.splitlines() if line}
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
    assert files['summary.txt'].read_text(encoding='utf-8').strip() == summary.strip()
    assert cv2.imread(str(files['contact_sheet.png'])).shape[0] > 3 * 240
    video = cv2.VideoCapture(str(files['depth.mp4']))
    assert processed <= video.get(cv2.CAP_PROP_FRAME_COUNT) <= FRAMES + 1
    assert b'element vertex' in files['cloud.ply'].read_bytes()[:200]
    with files['timing.csv'].open(encoding='utf-8', newline='') as file:
        stages = {row['stage']: float(row['p50_ms']) for row in csv.DictReader(file)}
    assert 0 < stages['inference'] < stages['all']


@pytest.mark.parametrize(
    ('termination_signal', 'step', 'processes'),
    [(signal.SIGINT, 'playing', 3), (signal.SIGTERM, 'loading', 2)],
)
def test_interrupted_demo_leaves_no_processes_and_no_files(
    folder, demo, termination_signal, step, processes
):
    weights = ('--weights', folder / 'weights.safetensors')
    started = demo('--bag', folder / 'bag', *weights, '--rate', '0.01')
    while step not in (line := started.process.stderr.readline()):
        assert line, f'ended before {step}'
    time.sleep(1.0)
    assert len(started.running_processes()) == processes
    started.process.send_signal(termination_signal)
    _, log = started.process.communicate(timeout=30)
    assert started.process.returncode == 130, log
    assert 'Traceback' not in log
    assert not started.running_processes()
    assert not list(started.output.iterdir())


def test_error_of_the_node_is_printed(folder, demo):
    started = demo('--bag', folder / 'bag', '--weights', folder / 'none.pth')
    _, log = started.process.communicate(timeout=60)
    assert started.process.returncode == 1
    assert 'depth_node ended with status 1' in log
    assert 'none.pth: no such file' in log
    assert 'Traceback' not in log
    assert not started.running_processes()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--bag', 'absent'], 'absent: no such bag'),
        (['--bag', '{folder}/bag', '--topic', '/other'], "no topic '/other'"),
        (['--bag', '{folder}/bag', '--rate', '0'], 'rate 0.0 is not possible'),
        (['--video', '{folder}/weights.safetensors'], 'OpenCV cannot read it'),
    ],
)
def test_invalid_arguments_print_one_line(folder, demo, arguments, message):
    started = demo(*(argument.format(folder=folder) for argument in arguments))
    log = started.process.communicate(timeout=60)[1]
    assert started.process.returncode == 1
    assert message in log.splitlines()[-1]
    assert 'Traceback' not in log


def test_ros_graph_is_private_unless_the_user_configured_one():
    own = graph_environment({'PATH': '/bin'})
    assert 1 <= int(own['ROS_DOMAIN_ID']) <= 100
    assert own['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert own['FASTDDS_BUILTIN_TRANSPORTS'] == 'LARGE_DATA'
    chosen = {'ROS_DOMAIN_ID': '7', 'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}
    assert chosen.items() <= graph_environment(chosen).items()
