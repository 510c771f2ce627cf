"""Images in every encoding, over DDS: the same pixels give the same depth."""

import numpy as np
import pytest
from sensor_msgs.msg import Image

from flashdepth_ros.messages import ENCODINGS
from flashdepth_ros.messages.encodings import read_rgb
from support.image_messages import BAYER, YUV, encode, message
from support.node_bench import SIZE, bench_of, depth_of, picture, stamp_of
from support.node_process import golden_weights

COLOURED = [name for name in ENCODINGS if name not in YUV and 'bayer' not in name]
SIXTEEN_BITS = [name for name in ENCODINGS if name.endswith('16')]
MOSAICS = [f'bayer_{pattern}{bits}' for pattern in BAYER for bits in (8, 16)]
COLOUR = np.full((*SIZE, 3), (210, 120, 30), np.uint8)


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    with bench_of(folder, model='flashdepth-tiny-s', weights=weights, temporal=False) as bench:
        bench.depth = bench.listen('/depth/image', Image)
        bench.images = bench.camera()
        bench.settle(bench.images, bench.image(picture()), bench.depth)
        yield bench


@pytest.fixture(scope='module')
def plain(bench):
    """Return the depth of an rgb8 image, once for each picture."""
    known = {}

    def depth(rgb):
        key = rgb.tobytes()
        if key not in known:
            known[key] = ask(bench, bench.image(rgb))
        return known[key]

    return depth


def ask(bench, image):
    return depth_of(bench.ask(bench.images, image, bench.depth)).copy()


def wrapped(bench, fields):
    """Return the ROS message of an encoded picture."""
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


def picture_for(encoding):
    """Return a picture that survives the encoding without loss."""
    if encoding in MOSAICS:
        return COLOUR
    if encoding in YUV:
        return exact_in_yuv()
    if 'mono' in encoding or encoding == '8UC1':
        return picture()[..., :1].repeat(3, axis=2)
    return picture()


def exact_in_yuv():
    """Return a picture of blocks whose colours come back from YUV as they went in."""
    coarse = np.random.default_rng(4).integers(0, 256, (40, 40, 3), np.uint8)
    blocks = coarse.repeat(2, axis=0).repeat(2, axis=1)
    back = read_rgb(message(encode(blocks, 'nv12'), 'nv12', len(blocks)))
    exact = (back == blocks).all(axis=2)[::2, ::2]
    colours = coarse[exact][: 6 * 8].reshape(6, 8, 3)
    return np.ascontiguousarray(colours.repeat(20, axis=0).repeat(20, axis=1))


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_every_encoding_gives_the_depth_of_the_same_pixels(bench, plain, encoding):
    rgb = picture_for(encoding)
    image = wrapped(bench, message(encode(rgb, encoding), encoding, len(rgb)))
    np.testing.assert_array_equal(ask(bench, image), plain(rgb))


def test_other_pixels_give_another_depth(bench, plain):
    for rgb in picture(), COLOUR, exact_in_yuv():
        swapped = np.ascontiguousarray(rgb[..., ::-1])
        assert np.abs(plain(swapped) - plain(rgb)).max() > 1e-3


@pytest.mark.parametrize('encoding', ['rgb8', 'mono16', 'yuv422', 'nv12', 'bayer_rggb8'])
def test_row_padding_changes_nothing(bench, plain, encoding):
    rgb = picture_for(encoding)
    image = wrapped(bench, message(encode(rgb, encoding), encoding, len(rgb), padding=38))
    np.testing.assert_array_equal(ask(bench, image), plain(rgb))


@pytest.mark.parametrize('encoding', SIXTEEN_BITS)
def test_big_endian_samples_change_nothing(bench, plain, encoding):
    rgb = picture_for(encoding)
    image = wrapped(bench, message(encode(rgb, encoding), encoding, len(rgb), 2, bigendian=True))
    np.testing.assert_array_equal(ask(bench, image), plain(rgb))


def test_stamp_and_frame_id_pass_through(bench):
    image = bench.image(picture(), frame_id='front/camera_optical_é')
    image.header.stamp = stamp_of(bench.next_stamp() + 123_456_789)
    bench.stamp_ns += 123_456_789
    assert bench.ask(bench.images, image, bench.depth).header == image.header
