"""Dense and sparse maps of depth."""

import numpy as np

from flashdepth_ros.camera.sampling import is_dense

DEPTH = np.random.default_rng(0).uniform(0.8, 20.0, (48, 64)).astype(np.float32)


def test_a_map_with_holes_is_dense():
    depth = DEPTH.copy()
    depth[5:20, 8:30] = np.nan
    assert is_dense(depth)
    assert is_dense(DEPTH)
    assert is_dense(np.full_like(DEPTH, np.nan))


def test_scan_lines_and_points_are_not_dense():
    scattered = np.where(np.random.default_rng(1).random(DEPTH.shape) < 0.3, DEPTH, np.nan)
    assert not is_dense(scattered)
    lines = np.full_like(DEPTH, np.nan)
    lines[::4, ::2] = DEPTH[::4, ::2]
    assert not is_dense(lines)
