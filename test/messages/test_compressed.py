import cv2
import numpy as np
import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import compress_rgb, read_compressed
from support.image_messages import CompressedImage, encode

RGB = cv2.resize(np.random.default_rng(2).integers(0, 256, (3, 4, 3), np.uint8), (64, 48))


def compress(image, extension, format_=''):
    return CompressedImage(format_, cv2.imencode(extension, image)[1].tobytes())


def bgr(rgb):
    return np.ascontiguousarray(rgb[..., ::-1])


@pytest.mark.parametrize('extension', ['.png', '.bmp', '.tiff'])
def test_lossless_formats_are_decoded_exactly(extension):
    decoded = read_compressed(compress(bgr(RGB), extension))
    np.testing.assert_array_equal(decoded, RGB)
    assert decoded.flags.c_contiguous


def test_jpeg_is_decoded_within_its_loss():
    decoded = read_compressed(compress(bgr(RGB), '.jpg', 'rgb8; jpeg compressed bgr8'))
    assert np.abs(decoded.astype(int) - RGB).mean() < 4


def test_written_jpeg_comes_back_within_its_loss_and_is_smaller_at_lower_quality():
    best, small = (compress_rgb(RGB, quality) for quality in (100, 40))
    assert best.format == 'rgb8; jpeg compressed bgr8'
    errors = [np.abs(read_compressed(each).astype(int) - RGB).mean() for each in (best, small)]
    assert errors[0] < 2 < errors[1]
    assert len(small.data) < len(best.data)


def test_grey_16_bit_and_transparent_images_become_rgb():
    grey = RGB[..., 0]
    expected = RGB[..., :1].repeat(3, axis=2)
    grey_16 = grey.astype(np.uint16) * 256 + 77
    transparent = np.dstack((bgr(RGB), grey))
    np.testing.assert_array_equal(read_compressed(compress(grey, '.png')), expected)
    np.testing.assert_array_equal(read_compressed(compress(grey_16, '.png')), expected)
    np.testing.assert_array_equal(read_compressed(compress(transparent, '.png')), RGB)


def test_compressed_bayer_image_is_demosaiced():
    uniform = np.full((8, 10, 3), (200, 100, 30), np.uint8)
    mosaic = compress(encode(uniform, 'bayer_grbg8'), '.png', 'bayer_grbg8; png compressed ')
    np.testing.assert_array_equal(read_compressed(mosaic), uniform)


def test_jpeg_with_padding_after_its_end_is_accepted():
    image = compress(bgr(RGB), '.jpg')
    padded = CompressedImage('jpeg', image.data + b'\0\0\0')
    np.testing.assert_array_equal(read_compressed(padded), read_compressed(image))


@pytest.mark.parametrize('share', [0.99, 0.7, 0.3, 0.01])
def test_truncated_jpeg_is_rejected(share):
    image = compress(bgr(RGB), '.jpg', 'jpeg')
    image.data = image.data[: int(len(image.data) * share)]
    with pytest.raises(InputError, match=r"'jpeg' with .* bytes is a JPEG without its end"):
        read_compressed(image)


def test_end_marker_of_an_embedded_preview_is_ignored():
    preview, image = (compress(bgr(RGB), '.jpg').data for _ in range(2))
    application = b'\xff\xe1' + (len(preview) + 2).to_bytes(2, 'big') + preview
    complete = image[:2] + application + image[2:]
    assert read_compressed(CompressedImage('jpeg', complete)).shape == RGB.shape
    with pytest.raises(InputError, match='without its end'):
        read_compressed(CompressedImage('jpeg', complete[:-2]))


@pytest.mark.parametrize(
    'data', [b'', b'\0', b'not an image', compress(bgr(RGB), '.png').data[:200]]
)
def test_invalid_data_is_rejected(data):
    with pytest.raises(InputError, match=f"'png' with {len(data)} bytes cannot be decoded"):
        read_compressed(CompressedImage('png', data))
