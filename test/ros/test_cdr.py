"""The package's CDR compared with the middleware's, in both directions, and damaged bytes."""

from array import array
import random

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_msgs.msg import Header

from flashdepth_ros.errors import InputError
from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.transport import cloud_message, image_message
from support.tf_publisher import serialised

STAMP_NS = 1_700_000_000_123_456_789
# Lengths of text and data for every alignment.
TEXTS = ['', 'a', 'ab', 'abc', 'abcd', 'camera_optical_frame', 'ä€']
ENCODINGS = ['', 'rgb8', '32FC1', 'mono16', 'bayer_rggb8']


def views():
    rng = np.random.default_rng(5)
    for frame_id in TEXTS:
        for encoding in ENCODINGS:
            for width in range(4):
                pixels = rng.integers(0, 256, (3, width), np.uint8)
                yield cdr.image_of(STAMP_NS, frame_id, encoding, pixels)


def big_endian(image):
    """Serialise an image in big-endian byte order."""
    body = bytearray()

    def number(value):
        body.extend(bytes(-len(body) % 4) + value.to_bytes(4, 'big'))

    def text(value):
        number(len(value.encode()) + 1)
        body.extend(value.encode() + b'\0')

    number(image.stamp_ns // 10**9)
    number(image.stamp_ns % 10**9)
    text(image.frame_id)
    number(image.height)
    number(image.width)
    text(image.encoding)
    body.append(image.is_bigendian)
    number(image.step)
    number(image.data.nbytes)
    return b'\0\0\0\0' + bytes(body) + bytes(image.data)


# Bytes are not compared: the middleware does not initialise the padding between fields.
def test_middleware_reads_written_images():
    for image in views():
        written = cdr.write_image(image)
        assert len(written) == len(serialize_message(image_message(image)))
        assert deserialize_message(written, Image) == image_message(image)


def test_serialised_images_are_read():
    for image in views():
        assert cdr.read_image(serialize_message(image_message(image))) == image
        assert cdr.read_image(big_endian(image)) == image


def test_serialised_transforms_are_read_or_refused():
    pose = (0.1, -2.0, 3.5, 0.5, -0.5, 0.5, 0.5)
    expected = [cdr.Transform(STAMP_NS, text, f'{text}b', pose) for text in TEXTS]
    raw = serialised(*((each.frame_id, each.child_frame_id, STAMP_NS, pose) for each in expected))
    assert cdr.read_transforms(raw) == expected
    assert cdr.read_transforms(serialised()) == []
    for length in range(len(raw)):
        with pytest.raises(InputError):
            cdr.read_transforms(raw[:length])


def test_pixels_are_not_copied():
    raw = cdr.write_image(cdr.image_of(0, 'c', 'mono8', np.zeros((4, 4), np.uint8)))
    assert cdr.read_image(raw).data.obj is raw


@pytest.mark.parametrize('stamp_ns', [0, -1, -(10**9), 2**31 * 10**9 - 1])
def test_negative_and_large_stamps(stamp_ns):
    image = cdr.image_of(stamp_ns, '', 'mono8', np.zeros((1, 1), np.uint8))
    assert cdr.read_image(cdr.write_image(image)).stamp_ns == stamp_ns
    assert deserialize_message(cdr.write_image(image), Image).header.stamp.sec == stamp_ns // 10**9


@pytest.mark.parametrize('dtype', ['<u2', '>u2', '<f4', '|u1'])
def test_byte_order_of_the_array_is_set(dtype):
    image = cdr.image_of(0, '', 'any', np.ones((2, 3), dtype))
    assert image.is_bigendian == dtype.startswith('>')
    assert image.step == 3 * np.dtype(dtype).itemsize


def test_serialised_compressed_images_are_read():
    for text in TEXTS:
        message = CompressedImage(header=Header(frame_id=text), format='rgb8; jpeg compressed')
        message.header.stamp.sec = 7
        message.data = array('B', b'\xff\xd8\xff')
        view = cdr.read_compressed_image(serialize_message(message))
        assert (view.stamp_ns, view.frame_id, view.format) == (7 * 10**9, text, message.format)
        assert bytes(view.data) == b'\xff\xd8\xff'


@pytest.mark.parametrize('fields', [('x', 'y', 'z'), ('x', 'y', 'z', 'rgb'), ('depth',), ()])
@pytest.mark.parametrize('size', [(0, 0), (1, 1), (3, 5)])
def test_middleware_reads_written_clouds(fields, size):
    points = np.random.default_rng(1).normal(size=(*size, len(fields))).astype(np.float32)
    cloud = cdr.PointCloud(STAMP_NS, 'camera', fields, points)
    written = cdr.write_point_cloud(cloud)
    assert len(written) == len(serialize_message(cloud_message(cloud)))
    assert deserialize_message(written, PointCloud2) == cloud_message(cloud)


@pytest.mark.parametrize('read', [cdr.read_image, cdr.read_compressed_image])
def test_every_truncated_message_is_an_input_error(read):
    image = cdr.image_of(STAMP_NS, 'camera', 'rgb8', np.zeros((2, 5, 3), np.uint8))
    compressed = CompressedImage(header=Header(frame_id='camera'), format='jpeg')
    compressed.data = array('B', bytes(9))
    whole = {
        cdr.read_image: cdr.write_image(image),
        cdr.read_compressed_image: serialize_message(compressed),
    }[read]
    read(whole)
    for length in range(len(whole)):
        with pytest.raises(InputError):
            read(whole[:length])


def test_damaged_bytes_give_a_view_or_an_input_error():
    image = cdr.image_of(STAMP_NS, 'camera', 'rgb8', np.zeros((2, 5, 3), np.uint8))
    whole = cdr.write_image(image)
    rng = random.Random(3)
    refused = 0
    for _ in range(20_000):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.choice((0, 255, rng.randrange(256)))
        try:
            view = cdr.read_image(bytes(damaged))
        except InputError:
            refused += 1
        else:
            assert view.data.nbytes <= len(whole)
    assert 0 < refused < 20_000


@pytest.mark.parametrize(
    ('raw', 'text'),
    [
        (b'', 'begin with nothing'),
        (b'\x00\x01', '2 bytes'),
        (b'\x00\x07\x00\x00' + bytes(60), 'begin with 00070000'),
        (bytes(4) + bytes(8) + b'\x00\x00\x00\x02xx' + bytes(60), 'frame_id does not end'),
        (bytes(4) + bytes(8) + b'\x00\x00\x00\x02\xff\x00' + bytes(60), 'frame_id is not UTF-8'),
        (bytes(4) + bytes(8) + b'\xff' * 4 + bytes(60), 'frame_id needs 4294967295 bytes'),
    ],
)
def test_error_text_gives_the_reason(raw, text):
    with pytest.raises(InputError, match=text):
        cdr.read_image(raw)


@pytest.mark.parametrize(
    'pixels',
    [np.zeros(3), np.zeros((2, 2, 2, 2)), np.zeros((4, 6))[:, ::2], np.zeros((4, 6)).T],
    ids=['vector', 'clip', 'strided', 'transposed'],
)
def test_invalid_image_arrays_are_refused(pixels):
    with pytest.raises(InputError, match='C-contiguous'):
        cdr.image_of(0, '', 'rgb8', pixels)


@pytest.mark.parametrize(
    'points', [np.zeros((2, 3), np.float32), np.zeros((2, 3, 3)), np.zeros((2, 3, 4), np.float32)]
)
def test_clouds_with_mismatched_fields_are_refused(points):
    cloud = cdr.PointCloud(0, '', ('x', 'y', 'z'), points)
    with pytest.raises(InputError, match=r'expected a C-contiguous float32 \(H, W, 3\)'):
        cdr.write_point_cloud(cloud)
