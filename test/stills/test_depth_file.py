"""Depth files are read as they were written, or refused by name."""

import cv2
import numpy as np
import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.stills.depth_file import read_depth

DEPTH = np.random.default_rng(0).uniform(0.5, 60.0, (12, 16)).astype(np.float32)


@pytest.mark.parametrize('units_per_metre', [256.0, 1000.0])
def test_a_png_has_metres_in_the_given_unit(tmp_path, units_per_metre):
    pixels = np.round(DEPTH * units_per_metre).astype(np.uint16)
    pixels[3:5] = 0
    cv2.imwrite(str(tmp_path / 'a.depth.png'), pixels)
    depth = read_depth(tmp_path / 'a.depth.png', units_per_metre)
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(depth), pixels == 0)
    known = pixels > 0
    np.testing.assert_allclose(depth[known], DEPTH[known], atol=0.51 / units_per_metre)


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
@pytest.mark.parametrize('shape', [(12, 16), (12, 16, 1)])
def test_an_npy_has_metres(tmp_path, dtype, shape):
    np.save(tmp_path / 'a.depth.npy', DEPTH.astype(dtype).reshape(shape))
    depth = read_depth(tmp_path / 'a.depth.npy', units_per_metre=1000.0)
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, DEPTH.astype(dtype).astype(np.float32))


def test_what_is_no_depth_is_unknown(tmp_path):
    odd = [0.0, -0.0, -1.0, np.nan, np.inf, -np.inf, 1e300]
    np.save(tmp_path / 'a.depth.npy', np.array([[*odd, 2.0]]))
    depth = read_depth(tmp_path / 'a.depth.npy', 1.0)
    np.testing.assert_array_equal(depth, [[*[np.nan] * len(odd), 2.0]])


@pytest.mark.parametrize('seed', range(60))
@pytest.mark.parametrize('name', ['a.depth.npy', 'a.depth.png'])
def test_a_damaged_file_is_read_or_refused_by_name(tmp_path, name, seed):
    path = tmp_path / name
    np.save(tmp_path / 'a.depth.npy', DEPTH)
    cv2.imwrite(str(tmp_path / 'a.depth.png'), np.round(DEPTH * 256).astype(np.uint16))
    random = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    if seed % 3:
        for position in random.integers(min(len(content), 128), size=1 + seed % 7):
            content[position] = random.integers(256)
    else:
        content = content[: random.integers(len(content))]
    path.write_bytes(content)
    message = ''
    try:
        read_depth(path, 256.0)
    except InputError as error:
        message = str(error)
    assert not message or message.startswith(f'{name}: ')
    assert '\n' not in message


@pytest.mark.parametrize(
    'content', [b'', b'PK\x03\x04 no archive', b'\x93NUMPY\x01\x00\x08\x00{\n     ']
)
def test_what_is_no_array_is_refused(tmp_path, content):
    (tmp_path / 'a.depth.npy').write_bytes(content)
    with pytest.raises(InputError, match=r'^a\.depth\.npy: cannot be read as an NPY file'):
        read_depth(tmp_path / 'a.depth.npy', 1.0)


@pytest.mark.parametrize('shape', [(12,), (0, 16), (12, 16, 3)])
def test_another_shape_is_refused(tmp_path, shape):
    np.save(tmp_path / 'a.depth.npy', np.ones(shape))
    with pytest.raises(InputError, match=r'expected floating-point metres \(H, W\)'):
        read_depth(tmp_path / 'a.depth.npy', 1.0)
