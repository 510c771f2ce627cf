from dataclasses import dataclass
import math

import cv2
import numpy as np
import pytest

from flashdepth_ros.camera.geometry import back_project
from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.messages import (
    CLOUD_FIELDS,
    cloud_data,
    colorize,
    depth_data,
    read_compressed,
    read_depth,
)
from support.image_messages import Image, encode, message

INF, NAN = math.inf, math.nan
RGB = cv2.resize(np.random.default_rng(2).integers(0, 256, (3, 4, 3), np.uint8), (64, 48))
METRES = np.random.default_rng(4).uniform(0.1, 60.0, (5, 7)).astype(np.float32)
METRES[1, 2] = NAN


@dataclass
class CompressedImage:
    format: str
    data: bytes


def compressed(picture, extension, format_=''):
    return CompressedImage(format_, cv2.imencode(extension, picture)[1].tobytes())


def bgr(rgb):
    return np.ascontiguousarray(rgb[..., ::-1])


@pytest.mark.parametrize('extension', ['.png', '.bmp', '.tiff'])
def test_lossless_files_give_the_very_picture(extension):
    decoded = read_compressed(compressed(bgr(RGB), extension))
    np.testing.assert_array_equal(decoded, RGB)
    assert decoded.flags.c_contiguous


def test_jpeg_gives_the_picture_within_its_loss():
    decoded = read_compressed(compressed(bgr(RGB), '.jpg', 'rgb8; jpeg compressed bgr8'))
    assert np.abs(decoded.astype(int) - RGB).mean() < 4


def test_files_in_grey_16_bits_or_with_transparency_become_rgb():
    grey = RGB[..., 0]
    expected = RGB[..., :1].repeat(3, axis=2)
    deep = grey.astype(np.uint16) * 256 + 77
    clear = np.dstack((bgr(RGB), grey))
    np.testing.assert_array_equal(read_compressed(compressed(grey, '.png')), expected)
    np.testing.assert_array_equal(read_compressed(compressed(deep, '.png')), expected)
    np.testing.assert_array_equal(read_compressed(compressed(clear, '.png')), RGB)


def test_a_compressed_mosaic_is_decoded_as_one():
    flat = np.full((8, 10, 3), (200, 100, 30), np.uint8)
    mosaic = compressed(encode(flat, 'bayer_grbg8'), '.png', 'bayer_grbg8; png compressed ')
    np.testing.assert_array_equal(read_compressed(mosaic), flat)


def test_a_jpeg_with_padding_behind_its_end_is_whole():
    image = compressed(bgr(RGB), '.jpg')
    padded = CompressedImage('jpeg', image.data + b'\0\0\0')
    np.testing.assert_array_equal(read_compressed(padded), read_compressed(image))


@pytest.mark.parametrize('share', [0.99, 0.7, 0.3, 0.01])
def test_a_jpeg_cut_off_is_refused(share):
    image = compressed(bgr(RGB), '.jpg', 'jpeg')
    image.data = image.data[: int(len(image.data) * share)]
    with pytest.raises(InputError, match=r"'jpeg' with .* bytes is a JPEG without its end"):
        read_compressed(image)


def test_the_end_of_a_preview_is_not_the_end_of_the_jpeg():
    preview, image = (compressed(bgr(RGB), '.jpg').data for _ in range(2))
    application = b'\xff\xe1' + (len(preview) + 2).to_bytes(2, 'big') + preview
    whole = image[:2] + application + image[2:]
    assert read_compressed(CompressedImage('jpeg', whole)).shape == RGB.shape
    with pytest.raises(InputError, match='without its end'):
        read_compressed(CompressedImage('jpeg', whole[:-2]))


@pytest.mark.parametrize(
    'data', [b'', b'\0', b'not a picture', compressed(bgr(RGB), '.png').data[:200]]
)
def test_what_is_no_whole_picture_is_refused(data):
    with pytest.raises(InputError, match=f"'png' with {len(data)} bytes cannot be decoded"):
        read_compressed(CompressedImage('png', data))


@pytest.mark.parametrize('bigendian', [False, True])
@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize(('encoding', 'dtype'), [('32FC1', 'f4'), ('64FC1', 'f8')])
def test_depth_in_metres_is_read_as_it_is(encoding, dtype, padding, bigendian):
    image = message(METRES.astype(dtype), encoding, len(METRES), padding, bigendian)
    depth = read_depth(image)
    np.testing.assert_array_equal(depth, METRES)
    assert depth.dtype == np.float32
    assert depth.dtype.isnative
    assert depth.flags.c_contiguous


@pytest.mark.parametrize('bigendian', [False, True])
@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', ['16UC1', 'mono16'])
def test_depth_in_millimetres_is_read_in_metres(encoding, padding, bigendian):
    rows = np.array([[0, 1, 1500], [65535, 256, 1]], np.uint16)
    depth = read_depth(message(rows, encoding, 2, padding, bigendian))
    np.testing.assert_allclose(depth, [[NAN, 0.001, 1.5], [65.535, 0.256, 0.001]], rtol=1e-6)
    assert depth.dtype == np.float32


def test_plain_depth_is_not_copied():
    octets = METRES.view(np.uint8).reshape(-1)
    assert np.shares_memory(read_depth(Image(5, 7, '32FC1', 28, octets)), METRES)


@pytest.mark.parametrize(
    ('image', 'complaint'),
    [
        (Image(2, 2, 'rgb8', 8, bytes(16)), "'rgb8' is not supported; one of 32FC1.*16UC1"),
        (Image(2, 2, '32FC1', 7, bytes(16)), 'step is 7 bytes'),
        (Image(2, 2, '32FC1', 8, bytes(15)), 'holds 15 bytes'),
        (Image(2, 0, '16UC1', 4, bytes(8)), '0 x 2 px'),
    ],
)
def test_malformed_depth_is_refused(image, complaint):
    with pytest.raises(InputError, match=complaint):
        read_depth(image)


@pytest.mark.parametrize(('encoding', 'tolerance'), [('32FC1', 0.0), ('16UC1', 0.000501)])
def test_depth_survives_the_way_out_and_in(encoding, tolerance):
    data = depth_data(METRES, encoding)
    back = read_depth(message(data, encoding, len(METRES)))
    np.testing.assert_allclose(back, METRES, rtol=0, atol=tolerance)


def test_millimetres_are_rounded_and_zero_where_they_cannot_tell():
    metres = [NAN, INF, -INF, -1.0, 0.0, 0.0004, 0.0006, 1.2344, 65.535, 65.536, 3e38]
    data = depth_data(np.array([metres], np.float32), '16UC1')
    assert data.dtype == np.uint16
    assert data.tolist() == [[0, 0, 0, 0, 0, 0, 1, 1234, 65535, 0, 0]]


def test_depth_is_published_in_known_encodings_only():
    with pytest.raises(ConfigError, match="'mono8' is not supported; one of 32FC1, 16UC1"):
        depth_data(METRES, 'mono8')


DIRECTIONS = np.random.default_rng(6).normal(size=(48, 64, 2)).astype(np.float32)
DEPTH = np.random.default_rng(7).uniform(0.1, 9.0, (48, 64)).astype(np.float32)
DEPTH[3, 4], DEPTH[4, 2], DEPTH[6, 8] = NAN, INF, -INF


@pytest.mark.parametrize('stride', [1, 2])
def test_a_cloud_holds_points_and_colours(stride):
    depth, directions, rgb = (each[::stride, ::stride] for each in (DEPTH, DIRECTIONS, RGB))
    cloud = cloud_data(depth, directions, rgb)
    assert cloud.flags.c_contiguous
    assert cloud.strides[1] == 16
    np.testing.assert_array_equal(cloud[..., :3], back_project(depth, directions))
    red, green, blue = np.moveaxis(rgb.astype(np.uint32), -1, 0)
    packed = cloud.view(np.uint32)[..., 3]
    np.testing.assert_array_equal(packed, red << 16 | green << 8 | blue)


def test_a_cloud_without_colours_is_its_points():
    cloud = cloud_data(DEPTH, DIRECTIONS)
    np.testing.assert_array_equal(cloud, back_project(DEPTH, DIRECTIONS))
    assert cloud.flags.c_contiguous
    assert cloud.strides[1] == 12


def test_cloud_fields_describe_consecutive_floats():
    described = [(field.name, field.offset, field.datatype, field.count) for field in CLOUD_FIELDS]
    assert described == [('x', 0, 7, 1), ('y', 4, 7, 1), ('z', 8, 7, 1), ('rgb', 12, 7, 1)]


def test_a_cloud_refuses_colours_of_another_size():
    with pytest.raises(InputError, match=r'\(1, 64, 3\).*\(48, 64\)'):
        cloud_data(DEPTH, DIRECTIONS, RGB[:1])


def test_the_preview_runs_from_warm_near_to_dark_far():
    depth = np.array([[-INF, 0.0, 0.5, 2.0, 20.0, 25.0, INF, NAN]], np.float32)
    colours = colorize(depth, 0.5, 20.0)
    assert colours.shape == (1, 8, 3)
    assert colours.dtype == np.uint8
    near, middle, far = colours[0, 2].tolist(), colours[0, 3].tolist(), colours[0, 4].tolist()
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert sum(far) < sum(middle)
    assert colours[0, :2].tolist() == [near, near]
    assert colours[0, 5:7].tolist() == [far, far]
    assert colours[0, 7].tolist() == [0, 0, 0]
    assert [0, 0, 0] not in (near, middle, far)


def test_the_preview_is_even_in_inverse_depth_and_the_same_in_every_frame():
    inverse_depth = np.linspace(0.1, 2.0, 255, dtype=np.float32)
    colours = colorize(1 / inverse_depth[np.newaxis], 0.5, 10.0)
    assert len(np.unique(colours[0], axis=0)) == 255
    alone = colorize(1 / inverse_depth[np.newaxis, 100:101], 0.5, 10.0)
    np.testing.assert_array_equal(alone[0, 0], colours[0, 100])


@pytest.mark.parametrize('limits', [(0.0, 1.0), (2.0, 1.0), (1.0, 1.0), (NAN, 1.0)])
def test_preview_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(ConfigError, match='0 < minimum < maximum'):
        colorize(METRES, *limits)
