import math

import numpy as np
import pytest

from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.messages import depth_data, read_depth
from support.image_messages import Image, message

INF, NAN = math.inf, math.nan
METRES = np.random.default_rng(4).uniform(0.1, 60.0, (5, 7)).astype(np.float32)
METRES[1, 2] = NAN


@pytest.mark.parametrize('bigendian', [False, True])
@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize(('encoding', 'dtype'), [('32FC1', 'f4'), ('64FC1', 'f8')])
def test_depth_in_metres_is_read_unchanged(encoding, dtype, padding, bigendian):
    image = message(METRES.astype(dtype), encoding, len(METRES), padding, bigendian)
    depth = read_depth(image)
    np.testing.assert_array_equal(depth, METRES)
    assert depth.dtype == np.float32
    assert depth.dtype.isnative
    assert depth.flags.c_contiguous


@pytest.mark.parametrize('bigendian', [False, True])
@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', ['16UC1', 'mono16'])
def test_depth_in_millimetres_is_converted_to_metres(encoding, padding, bigendian):
    rows = np.array([[0, 1, 1500], [65535, 256, 1]], np.uint16)
    depth = read_depth(message(rows, encoding, 2, padding, bigendian))
    np.testing.assert_allclose(depth, [[NAN, 0.001, 1.5], [65.535, 0.256, 0.001]], rtol=1e-6)
    assert depth.dtype == np.float32


def test_float32_depth_without_padding_is_not_copied():
    octets = METRES.view(np.uint8).reshape(-1)
    assert np.shares_memory(read_depth(Image(5, 7, '32FC1', 28, octets)), METRES)


@pytest.mark.parametrize(
    ('image', 'message_text'),
    [
        (
            Image(2, 2, 'rgb8', 8, bytes(16)),
            "'rgb8' is not supported; expected one of 32FC1.*16UC1",
        ),
        (Image(2, 2, '32FC1', 7, bytes(16)), 'step is 7 bytes'),
        (Image(2, 2, '32FC1', 8, bytes(15)), 'holds 15 bytes'),
        (Image(2, 0, '16UC1', 4, bytes(8)), '0 x 2 px'),
    ],
)
def test_invalid_depth_image_is_rejected(image, message_text):
    with pytest.raises(InputError, match=message_text):
        read_depth(image)


@pytest.mark.parametrize(('encoding', 'tolerance'), [('32FC1', 0.0), ('16UC1', 0.000501)])
def test_depth_is_the_same_after_writing_and_reading(encoding, tolerance):
    data = depth_data(METRES, encoding)
    read_back = read_depth(message(data, encoding, len(METRES)))
    np.testing.assert_allclose(read_back, METRES, rtol=0, atol=tolerance)


def test_millimetres_are_rounded_and_zero_where_not_representable():
    metres = [NAN, INF, -INF, -1.0, 0.0, 0.0004, 0.0006, 1.2344, 65.535, 65.536, 3e38]
    data = depth_data(np.array([metres], np.float32), '16UC1')
    assert data.dtype == np.uint16
    assert data.tolist() == [[0, 0, 0, 0, 0, 0, 1, 1234, 65535, 0, 0]]


def test_unknown_depth_encoding_is_rejected():
    with pytest.raises(
        ConfigError, match="'mono8' is not supported; expected one of 32FC1, 16UC1"
    ):
        depth_data(METRES, 'mono8')
