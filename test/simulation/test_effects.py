import math

import numpy as np
import pytest

from flashdepth_ros.simulation.effects import CameraEffects, add_haze, image_motion_px


def test_image_motion_follows_the_camera_rotation() -> None:
    turn = np.eye(4)
    angle = 0.02
    turn[:3, :3] = [
        [math.cos(angle), 0, math.sin(angle)],
        [0, 1, 0],
        [-math.sin(angle), 0, math.cos(angle)],
    ]
    dx, dy = image_motion_px(np.eye(4), turn, 500.0)
    assert dx == pytest.approx(-10.0, rel=1e-3)
    assert dy == pytest.approx(0.0, abs=1e-9)


def test_effects_are_reproducible_and_differ_between_seeds() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    first, second = (CameraEffects(5, (64, 48)).apply(rgb, (400.0, 100.0)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = CameraEffects(6, (64, 48)).apply(rgb, (400.0, 100.0))
    assert first.shape == rgb.shape
    assert first.dtype == np.uint8
    assert (first != other).any()


def test_exposure_brightens_dark_images() -> None:
    dark = np.full((48, 64, 3), 20, np.uint8)
    camera = CameraEffects(1, (64, 48))
    assert camera.apply(dark, (0.0, 0.0)).mean() > 40


def test_haze_hides_far_objects_but_not_the_sky() -> None:
    rgb = np.full((1, 3, 3), 50, np.uint8)
    depth = np.array([[1.0, 500.0, np.inf]], np.float32)
    hazy = add_haze(rgb, depth, 0.02, (1.0, 1.0, 1.0))
    assert hazy[0, 0, 0] < 60
    assert hazy[0, 1, 0] > 250
    assert hazy[0, 2, 0] == 50
