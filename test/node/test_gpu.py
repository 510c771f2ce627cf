"""The node with a network that runs as on a GPU, emulated on the CPU."""

import os

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from support.node_bench import pixels_of, random_image, start_bench
from support.node_process import golden_weights
from support.paths import ROOT

PRESET = 'flashdepth-tiny-s'
RGB = random_image(3)
HEIGHT, WIDTH = RGB.shape[:2]


def start(folder, module='support.emulated_gpu_node'):
    return start_bench(
        folder,
        module=module,
        environment={'PYTHONPATH': os.pathsep.join((str(ROOT), str(ROOT / 'test')))},
        model=PRESET,
        weights=golden_weights(folder, PRESET),
    )


def camera_info():
    info = CameraInfo(width=WIDTH, height=HEIGHT)
    info.header.frame_id = 'camera'
    info.k = [100.0, 0.0, WIDTH / 2, 0.0, 100.0, HEIGHT / 2, 0.0, 0.0, 1.0]
    return info


@pytest.fixture
def bench(tmp_path):
    with start(tmp_path) as bench:
        yield bench


def test_a_camera_info_before_any_image_prepares_for_its_size(bench):
    camera = bench.create_publisher('/camera_info', CameraInfo)
    bench.spin_until(camera.get_subscription_count)

    def is_ready():
        camera.publish(camera_info())
        return any(f'ready for images of {WIDTH}x{HEIGHT}' in line for line in bench.process.lines)

    bench.spin_until(is_ready)
    bench.spin_for(1.5)
    lines = [line for line in bench.process.lines if 'ready for images' in line]
    assert len(lines) == 1


def outputs(bench):
    depth, points = bench.subscribe('/depth/image', Image), bench.subscribe('/points', PointCloud2)
    camera = bench.create_publisher('/camera_info', CameraInfo)
    images = bench.create_publisher()
    bench.spin_until(camera.get_subscription_count)
    for _ in range(5):
        camera.publish(camera_info())
        bench.spin_for(0.1)
    bench.connect(images, bench.image(RGB), depth)
    bench.connect(images, bench.image(RGB), points)
    first = []
    for received in (depth, points):
        bench.reset()
        first.append(bench.round_trip(images, bench.image(RGB), received))
    return pixels_of(first[0]), np.frombuffer(first[1].data, np.uint32)


def test_outputs_computed_on_the_device_are_those_of_the_cpu(bench, tmp_path):
    depth, points = outputs(bench)
    with start(tmp_path, 'flashdepth_ros.node') as on_cpu:
        expected_depth, expected_points = outputs(on_cpu)
    np.testing.assert_allclose(depth, expected_depth, rtol=1e-4)
    colours, expected_colours = (each.reshape(-1, 4)[:, 3] for each in (points, expected_points))
    np.testing.assert_array_equal(colours, expected_colours)
    np.testing.assert_allclose(
        points.view(np.float32).reshape(-1, 4)[:, :3],
        expected_points.view(np.float32).reshape(-1, 4)[:, :3],
        rtol=1e-4,
        atol=1e-6,
    )
