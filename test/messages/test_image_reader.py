"""16-bit images are read with the bits that are in use, found once for a stream."""

import cv2
import numpy as np
import pytest

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.messages import ENCODINGS, ImageReader, check_bits, read_rgb
from support.image_messages import CompressedImage, Image, encode, message

SIXTEEN_BITS = [name for name in ENCODINGS if name.endswith('16')]
RGB = cv2.resize(np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8), (64, 48))
RGB[:4, :4] = 255
"""A bright scene: its values need every bit in use."""


@pytest.fixture
def lines():
    return []


def image(rgb, encoding, bits=16, bigendian=False):
    return message(encode(rgb, encoding, bits), encoding, len(rgb), 6, bigendian)


def eight_bits(rgb, encoding):
    """Return the RGB image of the same pixels in the 8-bit form of an encoding."""
    return read_rgb(image(rgb, encoding.removesuffix('16') + '8'))


def assert_within_a_level(actual, expected):
    assert np.abs(actual.astype(int) - expected).max() <= 1


@pytest.mark.parametrize('bits', [8, 10, 12, 14, 16])
@pytest.mark.parametrize('bigendian', [False, True])
@pytest.mark.parametrize('encoding', SIXTEEN_BITS)
def test_images_are_those_of_8_bits_whatever_bits_are_in_use(encoding, bigendian, bits):
    read = ImageReader().read(image(RGB, encoding, bits, bigendian))
    assert_within_a_level(read, eight_bits(RGB, encoding))
    assert read.flags.c_contiguous


@pytest.mark.parametrize('encoding', SIXTEEN_BITS)
def test_images_that_use_all_bits_are_their_high_bytes(encoding):
    every = np.arange(2**16, dtype=np.uint16).reshape(128, -1)
    samples = ENCODINGS[encoding].samples
    rows = every[..., None].repeat(samples, axis=2)
    octets = message((rows >> 8).astype(np.uint8), encoding.removesuffix('16') + '8', 128)
    sixteen = message(rows, encoding, 128)
    np.testing.assert_array_equal(ImageReader().read(sixteen), read_rgb(octets))
    np.testing.assert_array_equal(read_rgb(sixteen), read_rgb(octets))


@pytest.mark.parametrize(
    ('encoding', 'format_'), [('mono16', ''), ('bgr16', ''), ('bayer_grbg16', 'bayer_grbg16; png')]
)
@pytest.mark.parametrize('bits', [10, 12, 16])
def test_compressed_images_too(encoding, format_, bits):
    png = cv2.imencode('.png', encode(RGB, encoding, bits))[1].tobytes()
    read = ImageReader().read(CompressedImage(format_, png))
    assert_within_a_level(read, eight_bits(RGB, encoding))


def test_bright_frames_after_a_dark_one_are_not_white(lines):
    reader, dark = ImageReader(lines.append), RGB // 20
    assert reader.read(image(dark, 'mono16', 12)).max() > 100
    for _ in range(2):
        np.testing.assert_array_equal(
            reader.read(image(RGB, 'mono16', 12)), eight_bits(RGB, 'mono16')
        )
        np.testing.assert_array_equal(
            reader.read(image(dark, 'mono16', 12)), eight_bits(dark, 'mono16')
        )
    assert [line.split(':')[0] for line in lines] == [
        '16-bit images use 8 bits',
        '16-bit images use 12 bits',
    ]


def test_the_number_of_bits_is_found_anew_after_a_restart_and_at_another_size(lines):
    reader = ImageReader(lines.append)
    for restart in (reader.restart, lambda: None):
        reader.read(image(RGB, 'mono16', 14))
        assert reader.bits == 14
        restart()
        reader.read(image(RGB if restart == reader.restart else RGB[1:], 'mono16', 12))
        assert reader.bits == 12
    assert len(lines) == 2


@pytest.mark.parametrize('encoding', ['rgba16', 'bgra16'])
def test_alpha_does_not_count(encoding):
    rows = encode(RGB, encoding, 12)
    rows[..., 3] = 65535
    read = ImageReader().read(message(rows, encoding, len(RGB)))
    np.testing.assert_array_equal(read, RGB)


def test_defective_pixels_do_not_count():
    rows = encode(RGB, 'mono16', 12)
    rows[5, 5] = rows[20, 31] = 65535
    expected = eight_bits(RGB, 'mono16')
    expected[5, 5] = expected[20, 31] = 255
    np.testing.assert_array_equal(ImageReader().read(message(rows, 'mono16', len(RGB))), expected)


def test_a_given_number_of_bits_is_used(lines):
    reader = ImageReader(lines.append, lines.append)
    np.testing.assert_array_equal(reader.read(image(RGB // 20, 'rgb16', 12), 12), RGB // 20)
    assert not lines
    for _ in range(2):
        assert (reader.read(image(RGB, 'rgb16', 16), 12)[RGB > 16] == 255).all()
    (line,) = lines
    assert 'image.bits is 12' in line
    assert 'above 4095 are white' in line


def test_full_range_and_8_bit_images_are_not_mentioned(lines):
    reader = ImageReader(lines.append, lines.append)
    for encoding in ('mono16', 'mono8', 'rgb16', 'rgb8'):
        reader.read(image(RGB, encoding))
    np.testing.assert_array_equal(reader.read(image(RGB // 20, 'rgb8'), 12), RGB // 20)
    assert not lines


def test_thermal_images_without_contrast_are_reported_once(lines):
    counts = np.random.default_rng(1).integers(29_000, 31_500, (48, 64)).astype(np.uint16)
    thermal = Image(48, 64, 'mono16', 128, counts.tobytes())
    reader = ImageReader(lines.append, lines.append)
    for _ in range(40):
        assert reader.read(thermal).std() < 5
    (line,) = lines
    assert 'only values from 290' in line
    assert 'thermal camera' in line


@pytest.mark.parametrize('bits', [-1, 1, 7, 17])
def test_impossible_numbers_of_bits_are_rejected(bits):
    with pytest.raises(ConfigError, match=f'image.bits {bits} .* expected 0, or 8 to 16'):
        check_bits(bits)
    for possible in (0, 8, 12, 16):
        check_bits(possible)
