"""Contact sheet, video, point cloud and tables, read back with independent code."""

import csv

import cv2
import numpy as np
import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import colorize
from flashdepth_ros.presentation import (
    DepthRange,
    DepthVideo,
    TimeStep,
    contact_sheet,
    format_stages,
    stage_times,
    write_ply,
    write_stages,
)


def step(time_s, grey, truth=None):
    image = np.full((48, 64, 3), grey, np.uint8)
    return TimeStep(time_s, image, image // 2, truth)


def count_pixels(sheet, colour):
    """Return the number of pixels of the sheet with this colour."""
    return int((sheet == colour).all(axis=-1).sum())


def test_every_image_is_on_the_sheet_once_and_complete():
    sheet = contact_sheet([step(0, 50), step(1, 100), step(2, 150)], DepthRange())
    tile_pixels = 320 * 240
    found = {grey: count_pixels(sheet, (grey,) * 3) for grey in (50, 100, 150, 25, 75)}
    # The text has a few dozen pixels of other greys.
    assert found[100] == pytest.approx(tile_pixels, abs=200)
    for grey in (25, 75, 150):
        assert found[grey] == pytest.approx(tile_pixels, abs=200)
    # 50 is also the depth of the second image.
    assert found[50] == pytest.approx(2 * tile_pixels, abs=200)


def test_true_depth_is_an_extra_row_with_empty_tiles_where_unknown():
    truth = np.full((24, 32, 3), 200, np.uint8)
    without = contact_sheet([step(0, 50), step(1, 100)], DepthRange())
    sheet = contact_sheet([step(0, 50, truth), step(1, 100)], DepthRange())
    assert sheet.shape[0] > without.shape[0]
    assert sheet.shape[1] == without.shape[1]
    assert count_pixels(sheet, (200, 200, 200)) == pytest.approx(320 * 240, abs=200)


def test_the_colour_bar_has_the_colours_of_the_previews():
    sheet = contact_sheet([step(0, 50)], DepthRange(1.0, 10.0))
    for depth in (1.0, 1.5, 10.0):
        colour = colorize(np.full((1, 1), depth, np.float32), 1.0, 10.0)[0, 0]
        assert np.abs(sheet.astype(int) - colour).sum(axis=-1).min() <= 12


def test_an_empty_contact_sheet_is_rejected():
    with pytest.raises(InputError, match='without time steps'):
        contact_sheet([], DepthRange())


@pytest.mark.parametrize('size', [(48, 64), (31, 33), (720, 1281)])
def test_a_video_has_every_frame_with_the_image_left_and_depth_right(tmp_path, size):
    red = np.full((*size, 3), (200, 0, 0), np.uint8)
    blue = np.full((*size, 3), (0, 0, 200), np.uint8)
    with DepthVideo(tmp_path / 'video.mp4', 10.0) as video:
        video.write(red, blue, 0.0)
        video.write(blue, red, 0.1, frames=3)
    capture = cv2.VideoCapture(str(tmp_path / 'video.mp4'))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10.0)
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1][..., ::-1])
    assert len(frames) == 4
    height, width = frames[0].shape[:2]
    left, right = (height * 2 // 3, width // 4), (height * 2 // 3, width * 3 // 4)
    assert frames[0][left][0] > 150 > 80 > frames[0][left][2]
    assert frames[0][right][2] > 150 > 80 > frames[0][right][0]
    assert frames[3][left][2] > 150 > 80 > frames[3][left][0]


def test_a_video_that_cannot_be_written_raises_an_error(tmp_path):
    image = np.zeros((48, 64, 3), np.uint8)
    with (
        pytest.raises(InputError, match='cannot write mp4v video of 132 x 80 px'),
        DepthVideo(tmp_path / 'missing' / 'video.mp4', 10.0) as video,
    ):
        video.write(image, image, 0.0)


def read_ply(path):
    header, _, body = path.read_bytes().partition(b'end_header\n')
    lines = header.decode('ascii').splitlines()
    assert lines[:2] == ['ply', 'format binary_little_endian 1.0']
    kinds = {'float': '<f4', 'uchar': 'u1'}
    fields = [
        (line.split()[2], kinds[line.split()[1]]) for line in lines if line.startswith('property')
    ]
    (count,) = [int(line.split()[-1]) for line in lines if line.startswith('element vertex')]
    vertices = np.frombuffer(body, np.dtype(fields))
    assert len(vertices) == count
    return vertices


def test_a_cloud_has_the_finite_points_with_y_up(tmp_path):
    points = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    points[0, 1, 2] = np.nan
    points[1, 3, 0] = np.inf
    rgb = np.arange(100, 124, dtype=np.uint8).reshape(2, 4, 3)
    assert write_ply(tmp_path / 'cloud.ply', points, rgb) == 6
    vertices = read_ply(tmp_path / 'cloud.ply')
    finite = np.isfinite(points).all(axis=-1)
    for axis, name, sign in zip(range(3), 'xyz', (1, -1, -1), strict=True):
        assert np.array_equal(vertices[name], sign * points[finite][:, axis])
    for channel, name in enumerate(('red', 'green', 'blue')):
        assert np.array_equal(vertices[name], rgb[finite][:, channel])


def test_an_empty_cloud_is_a_valid_file(tmp_path):
    no_points = np.full((2, 2, 3), np.nan, np.float32)
    assert write_ply(tmp_path / 'cloud.ply', no_points, np.zeros((2, 2, 3), np.uint8)) == 0
    assert len(read_ply(tmp_path / 'cloud.ply')) == 0


def test_colours_of_another_shape_are_rejected(tmp_path):
    with pytest.raises(InputError, match=r'\(2, 3\) and colours of shape \(3, 3\)'):
        write_ply(tmp_path / 'x.ply', np.zeros((2, 3), np.float32), np.zeros((3, 3), np.uint8))


def test_stage_times_are_percentiles_of_the_finite_samples():
    rows = stage_times({'wait': [np.nan, *range(101)], 'decode': [np.nan], 'publish': [4.0]})
    assert [row.stage for row in rows] == ['wait', 'publish']
    assert (rows[0].p50_ms, rows[0].p95_ms, rows[0].max_ms) == (50, 95, 100)
    assert (rows[1].p50_ms, rows[1].p95_ms, rows[1].max_ms) == (4, 4, 4)


def test_csv_and_text_tables_have_the_same_values(tmp_path):
    rows = stage_times({'wait': range(101), 'all': [4.0]})
    write_stages(tmp_path / 'timing.csv', rows)
    with (tmp_path / 'timing.csv').open(encoding='utf-8', newline='') as file:
        written = list(csv.reader(file))
    assert written[0] == ['stage', 'p50_ms', 'p95_ms', 'max_ms']
    printed = [line.split() for line in format_stages(rows).splitlines()]
    assert printed[0] == ['ms', 'p50', 'p95', 'max']
    for csv_row, text_row in zip(written[1:], printed[1:], strict=True):
        assert csv_row[0] == text_row[0]
        assert [float(ms) for ms in csv_row[1:]] == [float(ms) for ms in text_row[1:]]
    assert len({len(line) for line in format_stages(rows).splitlines()}) == 1
