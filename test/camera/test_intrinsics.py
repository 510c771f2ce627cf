import math

import pytest

from flashdepth_ros.camera.geometry import Intrinsics, rays
from flashdepth_ros.errors import ConfigError, InputError

GOOD = {'width': 640, 'height': 480, 'fx': 500.0, 'fy': 500.0, 'cx': 320.0, 'cy': 240.0}


@pytest.mark.parametrize(
    ('change', 'complaint'),
    [
        ({'width': 0}, '0 x 480'),
        ({'height': -3}, '640 x -3'),
        ({'fx': 0.0}, 'fx=0.0'),
        ({'fy': -1.0}, 'fy=-1.0'),
        ({'fx': math.nan}, 'finite'),
        ({'cy': math.inf}, 'finite'),
        ({'distortion_model': 'thin_prism'}, 'thin_prism.*plumb_bob.*equidistant'),
        ({'distortion_model': 'plumb_bob'}, 'got 0 coefficients, expected 4 to 5'),
        (
            {'distortion_model': 'equidistant', 'distortion': (0.1,)},
            'got 1 coefficients, expected 4',
        ),
        (
            {'distortion_model': 'rational_polynomial', 'distortion': (0.1,) * 5},
            'got 5 coefficients, expected 8',
        ),
        ({'distortion': (0.1,)}, 'got 1 coefficients, expected 0'),
        ({'distortion_model': 'plumb_bob', 'distortion': (math.nan, 0, 0, 0)}, 'finite'),
    ],
)
def test_intrinsics_that_make_no_sense_are_refused(change, complaint):
    with pytest.raises(InputError, match=complaint):
        Intrinsics(**{**GOOD, **change})


@pytest.mark.parametrize(
    'window', [(-1, 0, 10, 10), (0, -1, 10, 10), (631, 0, 10, 10), (0, 471, 10, 10), (0, 0, 0, 1)]
)
def test_a_window_that_leaves_the_image_is_refused(window):
    with pytest.raises(InputError):
        Intrinsics(**GOOD).cropped(*window)


@pytest.mark.parametrize('size', [(0, 10), (10, 0), (-1, 10)])
def test_resizing_to_nothing_is_refused(size):
    with pytest.raises(InputError, match='must be positive'):
        Intrinsics(**GOOD).resized(*size)


def test_a_stride_of_nothing_is_refused():
    with pytest.raises(ConfigError, match='stride 0'):
        rays(Intrinsics(**GOOD), 0)


def test_intrinsics_can_be_compared_and_hashed():
    assert {Intrinsics(**GOOD): 1}[Intrinsics(**GOOD)] == 1
    assert Intrinsics(**GOOD) != Intrinsics(**{**GOOD, 'fx': 501.0})
