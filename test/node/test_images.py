"""Images in every encoding, over DDS: equal pixels give equal depth."""

import numpy as np
import pytest
from sensor_msgs.msg import Image

from flashdepth_ros.messages import ENCODINGS
from flashdepth_ros.messages.encodings import read_rgb
from support.image_messages import BAYER, YUV, encode, message
from support.node_bench import SIZE, depth_of, random_image, stamp_of, start_bench
from support.node_process import golden_weights

COLOURED = [name for name in ENCODINGS if name not in YUV and 'bayer' not in name]
SIXTEEN_BITS = [name for name in ENCODINGS if name.endswith('16')]
MOSAICS = [f'bayer_{pattern}{bits}' for pattern in BAYER for bits in (8, 16)]
COLOUR = np.full((*SIZE, 3), (210, 120, 30), np.uint8)


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    with start_bench(folder, model='flashdepth-tiny-s', weights=weights, temporal=False) as bench:
        bench.depth = bench.subscribe('/depth/image', Image)
        bench.images = bench.create_publisher()
        bench.connect(bench.images, bench.image(random_image()), bench.depth)
        yield bench


@pytest.fixture(scope='module')
def rgb8_depth(bench):
    """Return a function for the depth of an rgb8 image, with a cache."""
    cache = {}

    def depth(rgb):
        key = rgb.tobytes()
        if key not in cache:
            cache[key] = depth_image(bench, bench.image(rgb))
        return cache[key]

    return depth


def depth_image(bench, image):
    return depth_of(bench.round_trip(bench.images, image, bench.depth)).copy()


def to_message(bench, fields):
    """Return the ROS message of an encoded image."""
    image = Image(
        height=fields.height,
        width=fields.width,
        encoding=fields.encoding,
        step=fields.step,
        is_bigendian=fields.is_bigendian,
    )
    image.header.stamp = stamp_of(bench.next_stamp())
    image.data.frombytes(fields.data)
    return image


def lossless_image(encoding):
    """Return an RGB image that the encoding represents exactly."""
    if encoding in MOSAICS:
        return COLOUR
    if encoding in YUV:
        return exact_in_yuv()
    if 'mono' in encoding or encoding == '8UC1':
        return random_image()[..., :1].repeat(3, axis=2)
    return random_image()


def exact_in_yuv():
    """Return an image of blocks whose colours are unchanged by conversion to YUV and back."""
    coarse = np.random.default_rng(4).integers(0, 256, (40, 40, 3), np.uint8)
    blocks = coarse.repeat(2, axis=0).repeat(2, axis=1)
    back = read_rgb(message(encode(blocks, 'nv12'), 'nv12', len(blocks)))
    exact = (back == blocks).all(axis=2)[::2, ::2]
    colours = coarse[exact][: 6 * 8].reshape(6, 8, 3)
    return np.ascontiguousarray(colours.repeat(20, axis=0).repeat(20, axis=1))


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_every_encoding_gives_the_depth_of_rgb8(bench, rgb8_depth, encoding):
    rgb = lossless_image(encoding)
    image = to_message(bench, message(encode(rgb, encoding), encoding, len(rgb)))
    np.testing.assert_array_equal(depth_image(bench, image), rgb8_depth(rgb))


def test_different_pixels_give_different_depth(bench, rgb8_depth):
    for rgb in random_image(), COLOUR, exact_in_yuv():
        swapped = np.ascontiguousarray(rgb[..., ::-1])
        assert np.abs(rgb8_depth(swapped) - rgb8_depth(rgb)).max() > 1e-3


@pytest.mark.parametrize('encoding', ['rgb8', 'mono16', 'yuv422', 'nv12', 'bayer_rggb8'])
def test_row_padding_is_ignored(bench, rgb8_depth, encoding):
    rgb = lossless_image(encoding)
    image = to_message(bench, message(encode(rgb, encoding), encoding, len(rgb), padding=38))
    np.testing.assert_array_equal(depth_image(bench, image), rgb8_depth(rgb))


@pytest.mark.parametrize('encoding', SIXTEEN_BITS)
def test_big_endian_samples_give_the_same_depth(bench, rgb8_depth, encoding):
    rgb = lossless_image(encoding)
    image = to_message(
        bench, message(encode(rgb, encoding), encoding, len(rgb), 2, bigendian=True)
    )
    np.testing.assert_array_equal(depth_image(bench, image), rgb8_depth(rgb))


def test_twelve_of_sixteen_bits_give_the_same_depth_and_are_logged_once(bench, rgb8_depth):
    for encoding in ('mono16', 'rgb16', 'bayer_rggb16'):
        rgb = lossless_image(encoding)
        image = to_message(
            bench, message(encode(rgb, encoding, 12), encoding, len(rgb), bigendian=True)
        )
        np.testing.assert_array_equal(depth_image(bench, image), rgb8_depth(rgb))
    assert len([line for line in bench.process.lines if '16-bit images use 12 bits' in line]) == 1


def test_the_parameter_image_bits_is_used_from_the_next_image_on(bench, rgb8_depth):
    rgb = random_image() // 32
    assert not bench.set(**{'image.bits': 12})
    image = to_message(bench, message(encode(rgb, 'rgb16', 12), 'rgb16', len(rgb)))
    np.testing.assert_array_equal(depth_image(bench, image), rgb8_depth(rgb))
    (reason,) = bench.set(**{'image.bits': 7})
    assert 'expected 0, or 8 to 16' in reason
    assert not bench.set(**{'image.bits': 0})


def test_stamp_and_frame_id_are_unchanged(bench):
    image = bench.image(random_image(), frame_id='front/camera_optical_é')
    image.header.stamp = stamp_of(bench.next_stamp() + 123_456_789)
    bench.stamp_ns += 123_456_789
    assert bench.round_trip(bench.images, image, bench.depth).header == image.header
