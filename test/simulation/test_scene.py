import numpy as np
import pytest

from flashdepth_ros.simulation.people import walker
from flashdepth_ros.simulation.scene import FreeSpace, MovingObject
from flashdepth_ros.simulation.surfaces import Palette


def test_free_space_gives_the_distance_to_obstacles() -> None:
    free = FreeSpace(5.0, 4.0, 0.05)
    assert free.clearance(0.0, 0.0) == pytest.approx(4.0, rel=0.05)
    free.block((2.0, 0.0, 1.0, 1.0, 0.0))
    assert free.clearance(0.0, 0.0) == pytest.approx(1.5, rel=0.06)
    assert free.clearance(2.0, 0.2) == 0.0
    assert free.clearance(99.0, 0.0) == 0.0
    assert not free.fits((2.6, 0.0, 0.4, 0.4, 0.3))
    assert free.fits((-2.6, 0.0, 0.4, 0.4, 0.3))
    free.reserve((-2.6, 0.0, 0.4, 0.4, 0.0))
    assert not free.fits((-2.6, 0.0, 0.4, 0.4, 0.3))
    assert free.clearance(-2.6, 0.0) > 1.0


def test_moving_objects_move_back_and_forth_at_their_speed() -> None:
    rng = np.random.default_rng(0)
    mover = walker(rng, Palette(rng), (0.0, 0.0), (3.0, 4.0))
    assert isinstance(mover, MovingObject)
    poses = np.array([mover.pose_at(t) for t in np.arange(0.0, 20.0, 0.01)])
    steps = np.hypot(*np.diff(poses[:, :2], axis=0).T)
    assert np.median(steps) == pytest.approx(0.01 * mover.speed)
    assert steps.max() < 0.0101 * mover.speed
    assert poses[:, 0].min() >= -1e-9
    assert poses[:, 0].max() <= 3.0 + 1e-9
