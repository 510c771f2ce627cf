"""
Lens distortion on the normalised image plane (x/z, y/z): three models and their inverse.

Every model scales the radius of a point by a gain g and may add tangential distortion. One
forward function and one Newton iteration are enough for all of them:

    x' = x g(s) + 2 p1 x y + p2 (s + 2 x^2),   s = x^2 + y^2
    y' = y g(s) + 2 p2 x y + p1 (s + 2 y^2)

`plumb_bob` and `rational_polynomial` have the coefficients k1 k2 p1 p2 [k3 [k4 k5 k6]] (Brown
1966, as in OpenCV). `equidistant` has k1 k2 k3 k4 of a polynomial in the angle to the optical axis
(Kannala and Brandt 2006) and no tangential distortion.
"""

from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError

Array = npt.NDArray[np.float64]

# Minimum and maximum number of coefficients of each model.
COEFFICIENT_COUNTS = {
    '': (0, 0),
    'plumb_bob': (4, 5),
    'rational_polynomial': (8, 8),
    'equidistant': (4, 4),
}

# A ray at 90 degrees to the optical axis has no finite x/z.
_MAX_ANGLE = math.radians(89.9)
_PROFILE_SAMPLES = 4097
# The table is accurate to 1e-3 and each step squares the error; near the fold it takes more.
_NEWTON_STEPS = 5
# 1e-5 px at a focal length of 10,000 px.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Lens:
    """
    A distortion model and its coefficients.

    The valid field ends where the distorted radius stops growing (the fold: beyond it two
    directions map to one pixel) or at 89.9 degrees to the axis, whichever is smaller.

    :raises InputError: the model is unknown, or the number of coefficients is wrong, or one is not
        finite.
    """

    model: str
    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.model not in COEFFICIENT_COUNTS:
            known = ', '.join(repr(name) for name in COEFFICIENT_COUNTS)
            raise InputError(
                f'distortion model {self.model!r} is not supported; expected one of {known}'
            )
        minimum, maximum = COEFFICIENT_COUNTS[self.model]
        count = len(self.coefficients)
        if not minimum <= count <= maximum:
            expected = f'{minimum}' if minimum == maximum else f'{minimum} to {maximum}'
            raise InputError(
                f'distortion model {self.model!r} got {count} coefficients, expected {expected}'
            )
        if not all(map(math.isfinite, self.coefficients)):
            raise InputError(
                f'distortion coefficients {self.coefficients} must all be finite; '
                'calibrate the camera again'
            )

    def distort(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the distorted coordinates of ideal ones, NaN outside the valid field."""
        if not self.model:
            return x, y
        _, angles = self._profile()
        with np.errstate(all='ignore'):
            outside = x * x + y * y > math.tan(angles[-1]) ** 2
            distorted_x, distorted_y, _ = self._forward(x, y)
        return np.where(outside, np.nan, distorted_x), np.where(outside, np.nan, distorted_y)

    def undistort(self, x: Array, y: Array) -> tuple[Array, Array]:
        """
        Return the ideal coordinates of distorted ones, NaN where there are none.

        The start value is the radial part from a table of the valid field, so that the iteration
        stays inside that field; Newton's method then includes the tangential part.
        """
        if not self.model:
            return x, y
        radii, angles = self._profile()
        radius = np.maximum(np.hypot(x, y), 1e-12)
        with np.errstate(all='ignore'):
            start = np.tan(np.interp(radius, radii, angles, right=np.nan)) / radius
            ideal_x, ideal_y = x * start, y * start
            for _ in range(_NEWTON_STEPS):
                step_x, step_y = self._newton_step(ideal_x, ideal_y, (x, y))
                ideal_x, ideal_y = ideal_x - step_x, ideal_y - step_y
            back_x, back_y = self.distort(ideal_x, ideal_y)
            found = np.hypot(back_x - x, back_y - y) < _TOLERANCE
        return np.where(found, ideal_x, np.nan), np.where(found, ideal_y, np.nan)

    def _profile(self) -> tuple[Array, Array]:
        """Return the ascending distorted radii and the angles (radians) of the valid field."""
        angles = np.linspace(0.0, _MAX_ANGLE, _PROFILE_SAMPLES)
        radii = np.tan(angles)
        with np.errstate(all='ignore'):
            distorted = radii * self._gain(radii * radii)[0]
        rising = np.append(np.diff(distorted) > 0, False)
        end = int(np.argmin(rising)) + 1
        return distorted[:end], angles[:end]

    def _newton_step(self, x: Array, y: Array, target: tuple[Array, Array]) -> tuple[Array, Array]:
        distorted_x, distorted_y, (xx, xy, yy) = self._forward(x, y)
        error_x, error_y = distorted_x - target[0], distorted_y - target[1]
        determinant = xx * yy - xy * xy
        return (
            (yy * error_x - xy * error_y) / determinant,
            (xx * error_y - xy * error_x) / determinant,
        )

    def _forward(self, x: Array, y: Array) -> tuple[Array, Array, tuple[Array, Array, Array]]:
        """Return the distorted coordinates and their Jacobian, symmetric: (xx, xy, yy)."""
        p1, p2 = (0.0, 0.0) if self.model == 'equidistant' else self.coefficients[2:4]
        squared = x * x + y * y
        gain, slope = self._gain(squared)
        distorted_x = x * gain + 2 * p1 * x * y + p2 * (squared + 2 * x * x)
        distorted_y = y * gain + 2 * p2 * x * y + p1 * (squared + 2 * y * y)
        xx = gain + 2 * slope * x * x + 2 * p1 * y + 6 * p2 * x
        xy = 2 * (slope * x * y + p1 * x + p2 * y)
        yy = gain + 2 * slope * y * y + 6 * p1 * y + 2 * p2 * x
        return distorted_x, distorted_y, (xx, xy, yy)

    def _gain(self, squared: Array) -> tuple[Array, Array]:
        """Return the radial gain at a squared radius, and its derivative by the squared radius."""
        if self.model == 'equidistant':
            return _angular_gain(squared, self.coefficients)
        return _polynomial_gain(squared, self.coefficients)


def _polynomial_gain(squared: Array, coefficients: tuple[float, ...]) -> tuple[Array, Array]:
    k1, k2, _, _, k3, k4, k5, k6 = (*coefficients, 0.0, 0.0, 0.0, 0.0)[:8]
    top = 1 + squared * (k1 + squared * (k2 + squared * k3))
    top_slope = k1 + squared * (2 * k2 + squared * 3 * k3)
    bottom = 1 + squared * (k4 + squared * (k5 + squared * k6))
    bottom_slope = k4 + squared * (2 * k5 + squared * 3 * k6)
    gain = top / bottom
    return gain, (top_slope - gain * bottom_slope) / bottom


def _angular_gain(squared: Array, coefficients: tuple[float, ...]) -> tuple[Array, Array]:
    k1, k2, k3, k4 = coefficients
    # The slope is 0/0 on the axis; this lower limit does not change the Jacobian noticeably.
    squared = np.maximum(squared, 1e-12)
    radius = np.sqrt(squared)
    angle = np.arctan(radius)
    a2 = angle * angle
    gain = angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4)))) / radius
    angular_slope = 1 + a2 * (3 * k1 + a2 * (5 * k2 + a2 * (7 * k3 + a2 * 9 * k4)))
    return gain, (angular_slope / (1 + squared) - gain) / (2 * squared)
