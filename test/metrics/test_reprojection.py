"""Temporal alignment error on planes, whose depth is known exactly for every camera pose."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from flashdepth_ros import metrics
from flashdepth_ros.errors import InputError


@dataclass(frozen=True)
class Camera:
    fx: float = 40.0
    fy: float = 44.0
    cx: float = 23.0
    cy: float = 17.5


HEIGHT, WIDTH = 36, 48


def pose(x=0.0, y=0.0, z=0.0, yaw=0.0, pitch=0.0):
    c, s, d, e = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    matrix = np.eye(4)
    matrix[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]] @ np.array(
        [[1, 0, 0], [0, d, -e], [0, e, d]]
    )
    matrix[:3, 3] = x, y, z
    return matrix


def plane_depth(camera_pose, normal, offset, camera=Camera()):
    """Return Z (H, W) of the plane normal . X = offset, and the intersections (H, W, 3)."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)])
    rays = np.moveaxis(rays, 0, -1) @ camera_pose[:3, :3].T
    depth = (offset - camera_pose[:3, 3] @ normal) / (rays @ normal)
    return depth, camera_pose[:3, 3] + depth[..., None] * rays


POSES = np.stack(
    [pose(), pose(0.1, -0.05, 0.2, yaw=0.05), pose(0.3, 0.1, 0.1, yaw=-0.04, pitch=0.06)]
)


def board_in_front_of_a_wall(poses):
    frames = []
    for at in poses:
        wall, _ = plane_depth(at, np.array([0.2, 0.1, 1.0]), 6.0)
        board, hit = plane_depth(at, np.array([0.0, 0.0, 1.0]), 2.5)
        frames.append(np.where(np.abs(hit[..., :2]).max(axis=-1) < 0.6, board, wall))
    return np.stack(frames)


def test_true_depth_of_a_plane_has_no_alignment_error():
    depths = np.stack([plane_depth(at, np.array([0.3, -0.2, 1.0]), 4.0)[0] for at in POSES])
    assert metrics.tae(depths, POSES, Camera()) < 1e-12


def test_true_depth_with_occlusion_has_no_alignment_error():
    depths = board_in_front_of_a_wall(POSES)
    assert depths.min() < 2.6
    assert depths.max() > 5.0
    assert metrics.tae(depths, POSES, Camera()) < 1e-12
    depths[:, :5] = np.inf
    assert metrics.tae(depths, POSES, Camera()) < 1e-12


def test_alignment_error_of_a_wrong_scale_matches_geometry():
    depths = np.stack([np.full((HEIGHT, WIDTH), 4.0), np.full((HEIGHT, WIDTH), 3.5)])
    poses = np.stack([pose(), pose(z=0.5)])
    assert metrics.tae(depths, poses, Camera()) == pytest.approx(0.0, abs=1e-12)
    forward, backward = abs(8.0 - 0.5 - 7.0) / 7.0, abs(7.0 + 0.5 - 8.0) / 8.0
    assert metrics.tae(2 * depths, poses, Camera()) == pytest.approx((forward + backward) / 2)


def test_wrong_poses_or_intrinsics_cause_alignment_error():
    depths = board_in_front_of_a_wall(POSES)
    still = np.stack([np.eye(4)] * 3)
    assert metrics.tae(depths, still, Camera()) > 0.01
    assert metrics.tae(depths, POSES, replace(Camera(), cx=30.0)) > 0.001


def test_with_truth_a_large_jump_does_not_count_as_occlusion():
    depths = np.full((2, HEIGHT, WIDTH), 4.0)
    jump, still = depths * np.array([1.0, 2.0])[:, None, None], np.stack([np.eye(4)] * 2)
    assert metrics.tae(jump, still, Camera()) == pytest.approx(0.5)
    assert metrics.tae(jump, still, Camera(), truth=depths) == pytest.approx((0.5 + 1.0) / 2)


def test_the_mask_selects_the_pixels():
    depths, still = np.full((2, HEIGHT, WIDTH), 4.0), np.stack([np.eye(4)] * 2)
    depths[1, :, 20:] = 5.0
    mask = np.zeros(depths.shape, dtype=bool)
    mask[:, :, :20] = True
    assert metrics.tae(depths, still, Camera(), mask) == pytest.approx(0.0, abs=1e-12)
    assert metrics.tae(depths, still, Camera(), truth=np.full_like(depths, 4.0)) > 0.05
    assert np.isnan(metrics.tae(depths, still, Camera(), ~mask & mask))


def test_alignment_error_rejects_wrong_shapes():
    depths = np.ones((2, HEIGHT, WIDTH))
    with pytest.raises(InputError, match='poses have shape'):
        metrics.tae(depths, POSES, Camera())
    with pytest.raises(InputError, match='at least two frames'):
        metrics.tae(depths[:1], POSES[:1], Camera())
