"""A recording of several cameras, played with its own time through one node."""

import subprocess
import sys

from diagnostic_msgs.msg import DiagnosticArray
import pytest
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from support.node_bench import start_bench, values_of
from support.node_process import golden_weights
from support.paths import ROOT
from support.recordings import image, info, pattern, stamp_of, write

CAMERAS = ('front', 'rear')
FRAMES = 12
SIZE = (70, 84)


def recording(folder):
    messages = [
        (f'/{camera}/{topic}', message)
        for index in range(FRAMES)
        for camera in CAMERAS
        for topic, message in (
            ('camera_info', info(index, 60.0, SIZE)),
            ('image_raw', image(index, pattern(index, SIZE))),
        )
    ]
    return write(folder / 'bag', *messages)


@pytest.mark.needs_torch('the images have another shape than the exported model')
def test_each_camera_of_a_recording_is_one_sequence_in_its_time(tmp_path):
    weights = golden_weights(tmp_path, 'flashdepth-tiny-s')
    remaps = [f'{camera}/image:=/{camera}/image_raw' for camera in CAMERAS]
    options = {'model': 'flashdepth-tiny-s', 'weights': weights, 'use_sim_time': True}
    with start_bench(tmp_path, *remaps, cameras='[front, rear]', **options) as bench:
        outputs = {
            topic: bench.subscribe(topic, kind)
            for camera in CAMERAS
            for topic, kind in (
                (f'/{camera}/depth/image', Image),
                (f'/{camera}/depth/camera_info', CameraInfo),
                (f'/{camera}/points', PointCloud2),
                (f'/flashdepth/{camera}/timing', DiagnosticArray),
            )
        }
        topics = [
            f'/{camera}/{each}' for camera in CAMERAS for each in ('image_raw', 'camera_info')
        ]
        command = [sys.executable, '-m', 'flashdepth_ros.cli', 'play', recording(tmp_path)]
        command += ['--clock', '--rate', '0.5', '--wait', '20', '--wait-for', *topics]
        with subprocess.Popen(list(map(str, command)), cwd=ROOT) as player:
            bench.spin_until(lambda: player.poll() is not None, 60.0)
        bench.spin_for(0.5)
        for topic, received in outputs.items():
            stamps = [
                each.header.stamp.sec * 10**9 + each.header.stamp.nanosec for each in received
            ]
            assert len(stamps) > FRAMES // 2, topic
            assert set(stamps) <= {stamp_of(index) for index in range(FRAMES)}
        for camera in CAMERAS:
            reasons = [
                values_of(each)['reset_reason'] for each in outputs[f'/flashdepth/{camera}/timing']
            ]
            assert set(reasons[1:]) == {''}
