import math

import numpy as np
import pytest

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.messages import colorize

INF, NAN = math.inf, math.nan


def test_preview_is_red_near_and_dark_blue_far():
    depth = np.array([[-INF, 0.0, 0.5, 2.0, 20.0, 25.0, INF, NAN]], np.float32)
    colours = colorize(depth, 0.5, 20.0)
    assert colours.shape == (1, 8, 3)
    assert colours.dtype == np.uint8
    near, middle, far = colours[0, 2].tolist(), colours[0, 3].tolist(), colours[0, 4].tolist()
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert sum(far) < sum(middle)
    assert colours[0, :2].tolist() == [near, near]
    assert colours[0, 5:7].tolist() == [far, far]
    assert colours[0, 7].tolist() == [0, 0, 0]
    assert [0, 0, 0] not in (near, middle, far)


def test_preview_is_linear_in_inverse_depth_and_equal_in_every_frame():
    inverse_depth = np.linspace(0.1, 2.0, 255, dtype=np.float32)
    colours = colorize(1 / inverse_depth[np.newaxis], 0.5, 10.0)
    assert len(np.unique(colours[0], axis=0)) == 255
    single = colorize(1 / inverse_depth[np.newaxis, 100:101], 0.5, 10.0)
    np.testing.assert_array_equal(single[0, 0], colours[0, 100])


@pytest.mark.parametrize('limits', [(0.0, 1.0), (2.0, 1.0), (1.0, 1.0), (NAN, 1.0)])
def test_invalid_preview_limits_are_rejected(limits):
    with pytest.raises(ConfigError, match='0 < minimum < maximum'):
        colorize(np.ones((5, 7), np.float32), *limits)
