import array

import numpy as np
import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import ENCODINGS, read_rgb
from support.image_messages import BAYER, YUV, Image, encode, message

RGB = np.random.default_rng(5).integers(0, 256, (8, 12, 3), np.uint8)
GREY = RGB[..., :1].repeat(3, axis=2)
# Blocks so large that demosaicing and shared chroma do not affect their centres.
BLOCKS = (
    np.array([[(200, 40, 90), (30, 180, 60)], [(70, 90, 220), (128, 128, 128)]], np.uint8)
    .repeat(8, axis=0)
    .repeat(10, axis=1)
)
EXACT = [name for name in ENCODINGS if name not in YUV and 'bayer' not in name]
SIXTEEN_BITS = [name for name in ENCODINGS if name.endswith('16')]


def image_for(encoding):
    if encoding in EXACT:
        return GREY if 'mono' in encoding or encoding == '8UC1' else RGB
    return BLOCKS


@pytest.mark.parametrize('encoding', EXACT)
def test_lossless_encodings_are_decoded_exactly(encoding):
    rgb = image_for(encoding)
    decoded = read_rgb(message(encode(rgb, encoding), encoding, len(rgb)))
    np.testing.assert_array_equal(decoded, rgb)
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('pattern', BAYER)
def test_bayer_images_are_demosaiced(pattern, bits):
    encoding = f'bayer_{pattern}{bits}'
    decoded = read_rgb(message(encode(BLOCKS, encoding), encoding, len(BLOCKS)))
    inside = [np.s_[y : y + 4, x : x + 6] for y in (2, 10) for x in (2, 12)]
    for block in inside:
        np.testing.assert_array_equal(decoded[block], BLOCKS[block])


@pytest.mark.parametrize('encoding', YUV)
def test_yuv_is_decoded_within_rounding(encoding):
    decoded = read_rgb(message(encode(BLOCKS, encoding), encoding, len(BLOCKS)))
    assert decoded.shape == BLOCKS.shape
    assert np.abs(decoded.astype(int) - BLOCKS).max() <= 3


def test_every_encoding_is_covered():
    mosaics = {f'bayer_{pattern}{bits}' for pattern in BAYER for bits in (8, 16)}
    assert {*EXACT, *YUV, *mosaics} == set(ENCODINGS)


@pytest.mark.parametrize('padding', [1, 4, 37])
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_row_padding_is_ignored(encoding, padding):
    rgb = image_for(encoding)
    rows = encode(rgb, encoding)
    padded = message(rows, encoding, len(rgb), padding)
    expected = read_rgb(message(rows, encoding, len(rgb)))
    np.testing.assert_array_equal(read_rgb(padded), expected)
    padded.data = padded.data[:-padding]
    np.testing.assert_array_equal(read_rgb(padded), expected)


@pytest.mark.parametrize('encoding', SIXTEEN_BITS)
def test_byte_order_of_16_bit_samples(encoding):
    rgb = image_for(encoding)
    rows = encode(rgb, encoding)
    little, big = (message(rows, encoding, len(rgb), 6, order) for order in (False, True))
    assert little.data != big.data
    np.testing.assert_array_equal(read_rgb(little), read_rgb(big))


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'mono8', 'nv12', 'bayer_rggb8'])
def test_byte_order_of_8_bit_samples_is_ignored(encoding):
    rgb = image_for(encoding)
    little = message(encode(rgb, encoding), encoding, len(rgb))
    big = Image(**{**vars(little), 'is_bigendian': 1})
    np.testing.assert_array_equal(read_rgb(little), read_rgb(big))


@pytest.mark.parametrize(
    'kind',
    [
        bytes,
        memoryview,
        bytearray,
        lambda data: array.array('B', data),
        lambda data: np.frombuffer(data, np.uint8),
        lambda data: memoryview(b'\0' * 5 + data)[5:],
    ],
)
@pytest.mark.parametrize('encoding', ['rgb8', 'bgra16', 'nv21'])
def test_data_may_be_any_bytes_buffer(encoding, kind):
    rgb = image_for(encoding)
    image = message(encode(rgb, encoding), encoding, len(rgb), 3)
    expected = read_rgb(image)
    image.data = kind(image.data)
    np.testing.assert_array_equal(read_rgb(image), expected)


def test_rgb8_without_padding_is_not_copied():
    data = np.arange(2 * 5 * 3, dtype=np.uint8)
    assert np.shares_memory(read_rgb(Image(2, 5, 'rgb8', 15, data)), data)


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_decoding_does_not_modify_the_message(encoding):
    rgb = image_for(encoding)
    image = message(encode(rgb, encoding), encoding, len(rgb), 5)
    image.data = bytearray(image.data)
    before = bytes(image.data)
    read_rgb(image)
    assert bytes(image.data) == before


@pytest.mark.parametrize(
    ('image', 'message_text'),
    [
        (Image(0, 4, 'rgb8', 12, b''), '4 x 0 px'),
        (Image(4, 0, 'rgb8', 12, bytes(48)), '0 x 4 px'),
        (Image(0, 0, 'nv12', 0, b''), '0 x 0 px'),
        (Image(4, 4, 'rgb8', 11, bytes(48)), 'step is 11 bytes.* needs 12'),
        (Image(4, 4, 'rgb8', 0, bytes(48)), 'step is 0 bytes'),
        (Image(4, 4, 'rgb16', 12, bytes(48)), 'step is 12 bytes.* needs 24'),
        (Image(4, 4, 'rgb8', 12, b''), 'holds 0 bytes, expected at least 48'),
        (Image(4, 4, 'rgb8', 12, bytes(47)), 'holds 47 bytes, expected at least 48'),
        (Image(4, 4, 'rgb8', 20, bytes(71)), 'holds 71 bytes, expected at least 72'),
        (Image(4, 4, 'nv12', 4, bytes(16)), 'holds 16 bytes, expected at least 24'),
        (Image(2**32 - 1, 2**30, 'rgb8', 2**32 - 1, bytes(99)), 'holds 99 bytes'),
        (Image(4, 4, 'rgb', 12, bytes(48)), "'rgb' is not supported; expected one of mono8.*nv21"),
        (Image(4, 4, '', 12, bytes(48)), "'' is not supported"),
        (Image(4, 4, '32FC1', 16, bytes(64)), "'32FC1' is not supported"),
        (Image(4, 5, 'uyvy', 10, bytes(40)), '5 x 4 px.*multiple of 2'),
        (Image(3, 4, 'nv12', 4, bytes(24)), '4 x 3 px.*multiple of 2'),
        (Image(4, 3, 'nv21', 3, bytes(24)), '3 x 4 px.*multiple of 2'),
        (Image(2, 4, 'bayer_rggb8', 4, bytes(8)), 'at least 3 x 3'),
    ],
)
def test_invalid_images_are_rejected_with_actual_and_expected_values(image, message_text):
    with pytest.raises(InputError, match=message_text):
        read_rgb(image)


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_one_missing_byte_is_detected(encoding):
    rgb = image_for(encoding)
    image = message(encode(rgb, encoding), encoding, len(rgb))
    image.data = image.data[:-1]
    with pytest.raises(InputError, match='holds'):
        read_rgb(image)
