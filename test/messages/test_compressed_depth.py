"""Depth as the image_transport plugins compress it."""

from itertools import groupby, zip_longest
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import compress_depth, depth_data, read_depth
from flashdepth_ros.messages.rvl import decode_rvl

HEADER = np.array([0], '<i4').tobytes()
QUANTUM, OFFSET = 500.0, -3.0
PARAMETERS = np.array([QUANTUM, OFFSET], '<f4').tobytes()
RNG = np.random.default_rng(5)


def message(format_, data):
    return SimpleNamespace(format=format_, data=data)


def depth_mm():
    """Return millimetres with runs of unknown pixels, steps, and single pixels."""
    depth = np.cumsum(RNG.integers(-40, 50, (48, 64)), axis=1) + 2000
    depth[RNG.random(depth.shape) < 0.1] = 0
    depth[10:20, 30:60] = 0
    depth[40:, :5] = 65535
    return depth.astype(np.uint16)


def png(image):
    return cv2.imencode('.png', image)[1].tobytes()


def groups(number):
    """Return the nibbles of a number: three bits each, low ones first, and whether more follow."""
    nibbles = [number & 7]
    while number := number >> 3:
        nibbles[-1] |= 8
        nibbles.append(number & 7)
    return nibbles


def encode_rvl(pixels):
    """Encode as the paper describes it: zeros, others, and the differences of the others."""
    numbers, last = [], 0
    runs = [list(run) for _, run in groupby(map(int, pixels), key=bool)]
    if runs[0][0]:
        runs.insert(0, [])
    for zeros, others in zip_longest(runs[::2], runs[1::2], fillvalue=[]):
        differences = np.diff([last, *others])
        last = others[-1] if others else last
        numbers += [len(zeros), len(others), *(2 * abs(d) - (d < 0) for d in differences.tolist())]
    nibbles = [nibble for number in numbers for nibble in groups(number)]
    nibbles += [0] * (-len(nibbles) % 8)
    words = [
        sum(n << s for n, s in zip(word, range(28, -1, -4), strict=True))
        for word in zip(*[iter(nibbles)] * 8, strict=True)
    ]
    return np.array(words, '<u4').tobytes()


def rvl(image):
    return np.array(image.shape[::-1], '<u4').tobytes() + encode_rvl(image.ravel())


def test_rvl_is_lossless():
    for pixels in (depth_mm().ravel(), np.zeros(9, np.uint16), np.array([65535, 1], np.uint16)):
        assert np.array_equal(decode_rvl(encode_rvl(pixels), len(pixels)), pixels)


@pytest.mark.parametrize(
    ('format_', 'encode'),
    [
        ('16UC1; compressedDepth', lambda image: HEADER + PARAMETERS + png(image)),
        ('16UC1; compressedDepth png', lambda image: HEADER + PARAMETERS + png(image)),
        ('16UC1; compressedDepth rvl', lambda image: HEADER + PARAMETERS + rvl(image)),
        ('16UC1; png compressed ', png),
    ],
)
def test_millimetres_are_those_of_the_raw_image(format_, encode):
    image = depth_mm()
    expected = np.where(image == 0, np.nan, image * np.float32(0.001))
    assert np.array_equal(read_depth(message(format_, encode(image))), expected, equal_nan=True)


@pytest.mark.parametrize(('codec', 'encode'), [('png', png), ('rvl', rvl)])
def test_quantised_metres_come_back_within_the_quantum(codec, encode):
    metres = RNG.uniform(0.5, 9, (48, 64)).astype(np.float32)
    stored = np.round(QUANTUM / metres + OFFSET).astype(np.uint16)
    stored[3] = 0
    read = read_depth(
        message(f'32FC1; compressedDepth {codec}', HEADER + PARAMETERS + encode(stored))
    )
    assert np.isnan(read[3]).all()
    assert np.abs(1 / read - 1 / metres)[4:].max() <= 0.51 / QUANTUM


def test_metres_in_a_tiff_file_are_as_they_were():
    metres = RNG.uniform(0.5, 9, (4, 6)).astype(np.float32)
    data = cv2.imencode('.tiff', metres)[1].tobytes()
    assert np.array_equal(read_depth(message('32FC1; tiff compressed', data)), metres)


@pytest.mark.parametrize('png_level', [0, 1, 9])
@pytest.mark.parametrize('maximum', [3.0, 10.0, 100.0, 1e6])
def test_written_metres_come_back_within_the_documented_step(maximum, png_level):
    metres = RNG.uniform(0.16, min(maximum, 500.0), (48, 64)).astype(np.float32)
    written = compress_depth(metres, maximum, png_level)
    assert written.format == '32FC1; compressedDepth png'
    read = read_depth(written)
    assert read.dtype == np.float32
    assert (np.abs(read - metres) <= 1.01 * metres * read / 20200).all()


def test_the_header_has_the_parameters_of_the_plugin():
    kind = np.frombuffer(compress_depth(np.ones((2, 3), np.float32), 10.0, 1).data, '<i4', 1)
    quantum, offset = np.frombuffer(
        compress_depth(np.ones((2, 3), np.float32), 10.0, 1).data, '<f4', 2, 4
    )
    # depth_quantization 100 and depth_max 10: 100 * 101, and 1 at the maximum.
    assert (kind[0], quantum, offset) == (0, 10100.0, -1009.0)
    image = cv2.imdecode(
        np.frombuffer(compress_depth(np.full((2, 3), 10.0, np.float32), 10.0, 1).data[12:], 'u1'),
        cv2.IMREAD_UNCHANGED,
    )
    assert image.dtype == np.uint16
    assert (image == 1).all()


def test_metres_that_have_no_value_become_unknown_and_very_near_ones_the_least():
    inf, nan = np.inf, np.nan
    depth = [[nan, inf, -inf, 0.0, -1.0, 10.1, 10.0, 0.1, 1e-9]]
    read = read_depth(compress_depth(np.array(depth, np.float32), 10.0, 1))
    least = 10100 / (65535 + 1009)
    np.testing.assert_allclose(read, [[nan] * 6 + [10.0, least, least]], rtol=1e-6)


def test_written_millimetres_are_those_of_the_raw_image():
    depth = np.array([[1.2344, np.nan, np.inf, -np.inf, 65.535, 0.0006]], np.float32)
    written = compress_depth(depth_data(depth, '16UC1'), 10.0, 1)
    assert written.format == '16UC1; compressedDepth png'
    np.testing.assert_allclose(
        read_depth(written), [[1.234, np.nan, np.nan, np.nan, 65.535, 0.001]], rtol=1e-6
    )


@pytest.mark.parametrize(
    ('format_', 'data', 'text'),
    [
        ('16UC1; compressedDepth', b'', 'shorter than its header'),
        ('16UC1; compressedDepth rvl', HEADER + PARAMETERS, 'shorter than their size'),
        ('16UC1; compressedDepth rvl', HEADER + PARAMETERS + b'\xff' * 99, 'RVL data of'),
        ('16UC1; compressedDepth rvl', HEADER + PARAMETERS + rvl(depth_mm())[:300], 'RVL data'),
        ('16UC1; compressedDepth png', HEADER + PARAMETERS + png(depth_mm())[:50], 'cannot be'),
        ('16UC1; png compressed', png(np.zeros((2, 2), np.uint8)), 'cannot be decoded'),
        ('rgb8; jpeg compressed', b'', 'is not supported'),
    ],
)
def test_damaged_depth_is_refused_in_one_line(format_, data, text):
    with pytest.raises(InputError, match=text):
        read_depth(message(format_, data))
