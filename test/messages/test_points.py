"""Points of laser scans; those of clouds are tested with the evaluation."""

from types import SimpleNamespace

import numpy as np
import pytest

from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import read_scan


def scan(ranges, **changes):
    fields = {'angle_min': -np.pi / 2, 'angle_increment': np.pi / 2}
    limits = {'range_min': 0.1, 'range_max': 10.0}
    return SimpleNamespace(ranges=ranges, **{**fields, **limits, **changes})


def test_ranges_become_points_in_the_plane_of_the_scanner():
    np.testing.assert_allclose(
        read_scan(scan([1.0, 2.0, 3.0])), [[0, -1, 0], [2, 0, 0], [0, 3, 0]], atol=1e-12
    )


def test_ranges_without_a_return_are_left_out():
    points = read_scan(scan([np.inf, 2.0, np.nan, 0.05, 11.0, 0.0]))
    np.testing.assert_allclose(points, [[2, 0, 0]], atol=1e-12)
    assert read_scan(scan([])).shape == (0, 3)


def test_angles_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match='expected finite numbers'):
        read_scan(scan([1.0], angle_increment=np.nan))
