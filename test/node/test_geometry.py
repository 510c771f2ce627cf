"""The cloud and depth/camera_info, compared with OpenCV's projection of the source camera."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from support.node_bench import (
    depth_of,
    find_by_stamp,
    pixels_of,
    random_image,
    stamp_of,
    start_bench,
)
from support.node_process import golden_weights

LENSES = {
    'no distortion': ('plumb_bob', ()),
    'plumb_bob': ('plumb_bob', (-0.21, 0.06, 1.2e-3, -7e-4, -0.008)),
    'rational': ('rational_polynomial', (0.4, -0.1, 8e-4, -6e-4, 0.02, 0.7, 0.05, 0.01)),
    'thin prism and tilt': (
        'rational_polynomial',
        (0.4, -0.1, 8e-4, -6e-4, 0.02, 0.7, 0.05, 0.01, 2e-3, -1e-3, -3e-3, 1e-3, 0.03, -0.02),
    ),
    'equidistant': ('equidistant', (-0.03, 0.008, -0.004, 0.001)),
    'fisheye': ('fisheye', (-0.03, 0.008, -0.004, 0.001)),
}
# Size of the full image, region of interest (x, y, width, height), binning: each gives 160 x 120.
WHOLE = ((160, 120), (0, 0, 0, 0), 0)
BINNED = ((320, 240), (0, 0, 0, 0), 2)
CROPPED = ((200, 150), (24, 17, 160, 120), 1)
CROPPED_AND_BINNED = ((400, 300), (40, 30, 320, 240), 2)
READOUTS = [WHOLE, BINNED, CROPPED, CROPPED_AND_BINNED]


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('geometry')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    with start_bench(folder, model='flashdepth-tiny-s', weights=weights, temporal=False) as bench:
        bench.depth = bench.subscribe('/depth/image', Image)
        bench.infos = bench.subscribe('/depth/camera_info', CameraInfo)
        bench.points = bench.subscribe('/points', PointCloud2)
        bench.color = bench.subscribe('/depth/image_color', Image)
        bench.images = bench.create_publisher()
        bench.camera_info = bench.create_publisher('/camera_info', CameraInfo)
        bench.connect(bench.images, bench.image(random_image()), bench.depth)
        yield bench


def camera(frame_id, lens, readout):
    """Return the CameraInfo of one camera, with the same intrinsics in every read-out."""
    (width, height), (x, y, region_width, region_height), binning = readout
    scale = max(binning, 1)
    focal, cx, cy = 130.0 * scale, x + 77.3 * scale, y + 61.9 * scale
    info = CameraInfo(width=width, height=height, binning_x=binning, binning_y=binning)
    info.header.frame_id = frame_id
    info.distortion_model, d = LENSES[lens]
    info.d = list(d)
    info.k = [focal, 0.0, cx, 0.0, 1.02 * focal, cy, 0.0, 0.0, 1.0]
    info.p = [0.9 * focal, 0.0, cx + 2, 7.0, 0.0, focal, cy - 1, 3.0, 0.0, 0.0, 1.0, 0.0]
    info.roi.x_offset, info.roi.y_offset = x, y
    info.roi.width, info.roi.height = region_width, region_height
    return info


def process_image(bench, info):
    """Publish an image of that camera; return the resulting depth, info and cloud."""
    for _ in range(20):
        bench.camera_info.publish(info)
        image = bench.image(random_image(3), frame_id=info.header.frame_id)
        depth = bench.round_trip(bench.images, image, bench.depth)
        bench.timing_of(image)
        bench.spin_for(0.1)
        found = [find_by_stamp(each, image.header.stamp) for each in (bench.infos, bench.points)]
        if all(found):
            assert {each.header.frame_id for each in found} == {info.header.frame_id}
            return depth, *found
    pytest.fail('no cloud')


def project(points, k, model, d):
    """Return the pixels of points, computed with OpenCV."""
    matrix, zero = np.reshape(k, (3, 3)), np.zeros(3)
    points = np.asarray(points, np.float64).reshape(-1, 1, 3)
    if model in ('equidistant', 'fisheye') and len(d):
        pixels, _ = cv2.fisheye.projectPoints(points, zero, zero, matrix, np.array(d))
    else:
        pixels, _ = cv2.projectPoints(points, zero, zero, matrix, np.array(d))
    return pixels[:, 0]


def to_depth_pixels(pixels, readout, depth):
    """Convert pixels of the full image to the depth image: cropped, binned, resized."""
    _, (x, y, *_), binning = readout
    scale = max(binning, 1) * np.array([160 / depth.width, 120 / depth.height])
    return (pixels - (x, y) + 0.5) / scale - 0.5


def check_cloud(depth, info, cloud, source, readout, stride):
    """Check that every point projects to its pixel, with the source and the published info."""
    assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'rgb']
    assert not cloud.is_dense
    points = pixels_of(cloud)[..., :3]
    rows, columns = np.mgrid[: depth.height : stride, : depth.width : stride]
    assert points.shape[:2] == rows.shape
    np.testing.assert_array_equal(points[..., 2], depth_of(depth)[::stride, ::stride])
    pixels = np.stack((columns, rows), axis=-1).reshape(-1, 2)
    source_pixels = project(points, source.k, source.distortion_model, source.d)
    depth_pixels = to_depth_pixels(source_pixels, readout, depth)
    np.testing.assert_allclose(depth_pixels, pixels, rtol=0, atol=1e-3)
    info_pixels = project(points, info.k, info.distortion_model, info.d)
    np.testing.assert_allclose(info_pixels, pixels, rtol=0, atol=1e-3)


def check_projection(depth, info, source, readout):
    """Check P: rectified points project to the same image content with both infos."""
    points = np.random.default_rng(0).uniform((-2, -2, 2, 1), (2, 2, 9, 1), (20, 4))
    full, own = (points @ np.reshape(each.p, (3, 4)).T for each in (source, info))
    expected = to_depth_pixels(full[:, :2] / full[:, 2:], readout, depth)
    np.testing.assert_allclose(own[:, :2] / own[:, 2:], expected, rtol=0, atol=1e-6)
    assert (info.width, info.height) == (depth.width, depth.height)
    assert (info.binning_x, info.binning_y, info.roi.width) == (0, 0, 0)


def check_all(bench, size):
    """Check one depth size with each lens, read-out and stride."""
    cases = [(lens, WHOLE) for lens in LENSES] + [('plumb_bob', each) for each in READOUTS[1:]]
    for index, (lens, readout) in enumerate(cases):
        stride = (4, 1, 3)[index % 3]
        assert not bench.set(**{'points.stride': stride})
        source = camera(f'{lens}{index}{size}', lens, readout)
        depth, info, cloud = process_image(bench, source)
        assert (depth.width, depth.height) == size
        check_cloud(depth, info, cloud, source, readout, stride)
        check_projection(depth, info, source, readout)


def test_cloud_and_info_match_at_image_size(bench):
    check_all(bench, (160, 120))


def test_points_have_the_colour_of_their_pixels(bench):
    assert not bench.set(**{'points.stride': 2})
    _, _, cloud = process_image(bench, camera('colour', 'no distortion', WHOLE))
    packed = pixels_of(cloud, np.uint32)[..., 3]
    colours = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)
    np.testing.assert_array_equal(colours, random_image(3)[::2, ::2])


def test_depth_outside_the_limits_is_infinite(bench):
    known = depth_of(process_image(bench, camera('limits', 'no distortion', WHOLE))[0])
    near, far = (float(np.quantile(known, share)) for share in (0.2, 0.7))
    assert not bench.set(**{'depth.min': near, 'depth.max': far, 'points.stride': 1})
    depth, _, cloud = process_image(bench, camera('limits', 'no distortion', WHOLE))
    near, far = np.float32(near), np.float32(far)
    expected = np.where(known < near, -np.inf, np.where(known > far, np.inf, known))
    np.testing.assert_array_equal(depth_of(depth), expected)
    points = pixels_of(cloud)[..., :3]
    np.testing.assert_array_equal(np.isnan(points).all(axis=2), np.isinf(expected))
    assert 0.1 < np.isinf(expected).mean() < 0.9
    assert not bench.set(**{'depth.min': 0.1, 'depth.max': 100.0})


def test_the_preview_has_the_same_range_in_every_frame(bench):
    assert not bench.set(**{'color.min': 15.0, 'color.max': 25.0, 'depth.scale': 0.5})
    # Without camera_info, depth is that of the canonical camera; the range is chosen for it.
    assert not bench.set(**{'camera_info.require_frame_id': True})
    image = bench.image(random_image(3), frame_id='unknown_camera')
    preview = bench.round_trip(bench.images, image, bench.color)
    assert preview.encoding == 'rgb8'
    below_range = pixels_of(preview, np.uint8).reshape(-1, 3)
    assert len(np.unique(below_range, axis=0)) == 1
    assert not bench.set(**{'depth.scale': 1.0})
    image.header.stamp = stamp_of(bench.next_stamp())
    within = pixels_of(bench.round_trip(bench.images, image, bench.color), np.uint8).reshape(-1, 3)
    assert len(np.unique(within, axis=0)) > 3


def test_without_camera_info_of_its_frame_an_image_has_depth_but_no_cloud(bench):
    assert not bench.set(**{'camera_info.require_frame_id': True})
    image = bench.image(random_image(), frame_id='unknown_camera')
    bench.round_trip(bench.images, image, bench.depth)
    bench.timing_of(image)
    bench.spin_for(0.2)
    assert find_by_stamp(bench.points, image.header.stamp) is None
    assert find_by_stamp(bench.infos, image.header.stamp) is None


def test_camera_info_of_another_frame_is_used_if_nothing_better_is_known(bench):
    assert not bench.set(**{'camera_info.require_frame_id': False})
    image = bench.image(random_image(), frame_id='unknown_camera')
    bench.round_trip(bench.images, image, bench.depth)
    bench.spin_until(lambda: find_by_stamp(bench.points, image.header.stamp))


def test_cloud_and_info_match_at_inference_size(bench):
    bench.reconfigure(**{'depth.size': 'inference'})
    check_all(bench, (154, 112))


@pytest.mark.parametrize(
    ('topic', 'setting', 'uses_p'),
    [
        ('/cam/image_rect', 'auto', True),
        ('/cam/image_rect', False, False),
        ('/cam/image_raw', 'auto', False),
        ('/cam/image_raw', True, True),
    ],
)
def test_rectified_images_use_p_without_distortion(tmp_path, topic, setting, uses_p):
    weights = golden_weights(tmp_path, 'flashdepth-tiny-s')
    options = {'model': 'flashdepth-tiny-s', 'weights': weights, 'camera.rectified': setting}
    with start_bench(tmp_path, f'image:={topic}', **options) as bench:
        bench.depth = bench.subscribe('/depth/image', Image)
        bench.infos = bench.subscribe('/depth/camera_info', CameraInfo)
        bench.points = bench.subscribe('/points', PointCloud2)
        bench.images = bench.create_publisher(topic)
        bench.camera_info = bench.create_publisher('/camera_info', CameraInfo)
        bench.connect(bench.images, bench.image(random_image()), bench.depth)
        source = camera('camera', 'plumb_bob', WHOLE)
        depth, info, cloud = process_image(bench, source)
        said = any('rectified, by its name' in line for line in bench.process.lines)
    assert said == (setting == 'auto' and uses_p)
    if uses_p:
        source.k, source.d = [*source.p[0:3], *source.p[4:7], *source.p[8:11]], [0.0] * 5
    check_cloud(depth, info, cloud, source, WHOLE, stride=4)
    np.testing.assert_allclose(info.k, source.k)
    np.testing.assert_allclose(info.d, source.d)
