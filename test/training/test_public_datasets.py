"""Public data sets, each tested with a small folder of its layout."""

import gzip
import json
import math
from pathlib import Path
import pickle

import cv2
import numpy as np
import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.training.config import SourceConfig
from flashdepth_ros.training.public_datasets import FolderVideo
from flashdepth_ros.training.sources import find_videos

DEPTH = np.array([[1.0, 2.0, 4.0], [8.0, np.inf, np.nan]], dtype=np.float32)
INVERSE = np.array([[1.0, 0.5, 0.25], [0.125, 0.0, np.nan]], dtype=np.float32)


def write_image(path: Path, frame: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    image[..., 2] = 100 * frame
    cv2.imwrite(str(path), image)


def write_codes(path: Path, codes: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), codes)


def write_tartanair(root: Path) -> None:
    folder = root / 'ocean' / 'Easy' / 'P001'
    (folder / 'depth_left').mkdir(parents=True)
    for i in range(2):
        write_image(folder / 'image_left' / f'{i:06d}_left.png', i)
        depth = np.where(np.isinf(DEPTH), 10000.0, DEPTH).astype(np.float32)
        np.save(folder / 'depth_left' / f'{i:06d}_left_depth.npy', depth)


def write_spring(root: Path) -> None:
    import h5py

    folder = root / 'train' / '0001'
    (folder / 'disp1_left').mkdir(parents=True)
    (folder / 'cam_data').mkdir()
    (folder / 'cam_data' / 'intrinsics.txt').write_text('1000 1000 1 1\n2000 2000 1 1\n')
    for i in (1, 2):
        write_image(folder / 'frame_left' / f'frame_left_{i:04d}.png', i - 1)
        disparity = np.full((4, 6), -1.0, dtype=np.float32)
        disparity[::2, ::2] = INVERSE * (1000.0 * i * 0.065)
        with h5py.File(folder / 'disp1_left' / f'disp1_left_{i:04d}.dsp5', 'w') as file:
            file['disparity'] = disparity


def write_mvs_synth(root: Path) -> None:
    import OpenEXR

    folder = root / 'GTAV_540' / '0007'
    (folder / 'depths').mkdir(parents=True)
    header = {'compression': OpenEXR.ZIP_COMPRESSION, 'type': OpenEXR.scanlineimage}
    for i in range(2):
        write_image(folder / 'images' / f'{i:04d}.png', i)
        with OpenEXR.File(header, {'Y': DEPTH}) as file:
            file.write(str(folder / 'depths' / f'{i:04d}.exr'))
        (folder / 'poses').mkdir(exist_ok=True)
        pose = {'f_x': 600.0 + 3.0 * i, 'f_y': 600.0, 'c_x': 1.5, 'c_y': 1.0}
        (folder / 'poses' / f'{i:04d}.json').write_text(json.dumps(pose))


def write_point_odyssey(root: Path) -> None:
    folder = root / 'train' / 'ani'
    codes = np.where(np.isnan(DEPTH), 0, np.where(np.isinf(DEPTH), 65535, DEPTH * 65.535))
    folder.mkdir(parents=True)
    intrinsics = np.tile(np.eye(3, dtype=np.float32), (2, 1, 1))
    intrinsics[:, 0, 0] = 600.0, 603.0
    np.savez(folder / 'anno.npz', intrinsics=intrinsics)
    for i in range(2):
        write_image(folder / 'rgbs' / f'rgb_{i:05d}.jpg', i)
        write_codes(folder / 'depths' / f'depth_{i:05d}.png', np.round(codes).astype(np.uint16))


def write_dynamic_replica(root: Path) -> None:
    frames = []
    # Listed in reverse order, with the right camera's frames in between.
    for i, side in ((1, 'left'), (1, 'right'), (0, 'right'), (0, 'left')):
        name = f'a_source_{side}'
        image = f'{name}/images/{name}-{i:04d}.png'
        depth = f'{name}/depths/{name}_{i:04d}.geometric.png'
        write_image(root / 'valid' / image, i)
        known = np.where(np.isinf(DEPTH), np.nan, DEPTH)
        write_codes(root / 'valid' / depth, known.astype(np.float16).view(np.uint16))
        frames.append(
            {
                'sequence_name': 'a',
                'frame_number': i,
                'camera_name': side,
                'image': {'path': image, 'size': [2, 3]},
                'viewpoint': {
                    'focal_length': [400.0 + 2.0 * i, 1.0],
                    'intrinsics_format': ('ndc_norm_image_bounds', 'NDC_isotropic')[i],
                },
                'depth': {'path': depth},
            }
        )
    content = gzip.compress(json.dumps(frames).encode())
    (root / 'valid' / 'frame_annotations_valid.jgz').write_bytes(content)


@pytest.mark.parametrize(
    ('kind', 'write', 'expected', 'focal_px'),
    [
        ('tartanair', write_tartanair, INVERSE, (320.0, 320.0)),
        ('spring', write_spring, INVERSE, (1000.0, 2000.0)),
        ('mvs-synth', write_mvs_synth, INVERSE, (600.0, 603.0)),
        ('point-odyssey', write_point_odyssey, INVERSE, (600.0, 603.0)),
        (
            'dynamic-replica',
            write_dynamic_replica,
            np.where(INVERSE == 0, np.nan, INVERSE),
            (600.0, 402.0),
        ),
    ],
)
def test_the_published_layout_is_read(tmp_path, kind, write, expected, focal_px):
    write(tmp_path)
    (video,) = find_videos(SourceConfig(str(tmp_path), kind=kind))
    assert video.length == 2
    assert [video.read([i]).focal_px for i in range(2)] == pytest.approx(focal_px)
    video = pickle.loads(pickle.dumps(video))  # As it is sent to a loader process.
    window = video.read([0, 1, 1])
    np.testing.assert_allclose(window.rgb[:, 0, 0, 0], [0, 100, 100], atol=3)
    assert window.inverse_depth.dtype == np.float32
    # The resolution of PointOdyssey is 1.5 cm.
    np.testing.assert_allclose(window.inverse_depth, [expected] * 3, rtol=0.01)


def test_frames_without_depth_are_left_out(tmp_path):
    write_tartanair(tmp_path)
    next(tmp_path.glob('**/000000_left_depth.npy')).unlink()
    (video,) = find_videos(SourceConfig(str(tmp_path), kind='tartanair'))
    assert video.read([0]).rgb[0, 0, 0, 0] == 100


@pytest.mark.parametrize(
    ('kind', 'write', 'cameras'),
    [
        ('mvs-synth', write_mvs_synth, '**/poses/*.json'),
        ('point-odyssey', write_point_odyssey, '**/anno.npz'),
    ],
)
def test_without_camera_files_the_focal_length_is_unknown(tmp_path, kind, write, cameras):
    write(tmp_path)
    for path in tmp_path.glob(cameras):
        path.unlink()
    (video,) = find_videos(SourceConfig(str(tmp_path), kind=kind))
    assert math.isnan(video.read([0, 1]).focal_px)


def test_a_missing_image_is_reported(tmp_path):
    video = FolderVideo((tmp_path / 'gone.png',), (tmp_path / 'gone.npy',), np.load, len)
    with pytest.raises(InputError, match=r'gone\.png: missing'):
        video.read([0])
