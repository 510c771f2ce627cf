"""
Lens distortion on the normalised image plane (x/z, y/z): OpenCV's models and their inverse.

Every model scales the radius of a point by a gain g. Brown's models (1966) add tangential and thin
prism distortion, with r = x^2 + y^2:

    x' = x g(r) + 2 p1 x y + p2 (r + 2 x^2) + s1 r + s2 r^2
    y' = y g(r) + 2 p2 x y + p1 (r + 2 y^2) + s3 r + s4 r^2

A tilted sensor then maps (x', y') by a homography. `plumb_bob` and `rational_polynomial` have the
coefficients k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tx ty]]]] in the order of OpenCV.
`equidistant`, OpenCV's fisheye, has k1 k2 k3 k4 of a polynomial in the angle to the optical axis
(Kannala and Brandt 2006) and nothing else.
"""

from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt

from flashdepth_ros.errors import InputError

Array = npt.NDArray[np.float64]

_BROWN = (4, 5, 8, 12, 14)
COEFFICIENT_COUNTS = {
    '': (0,),
    'plumb_bob': _BROWN,
    'rational_polynomial': _BROWN,
    'equidistant': (4,),
}
"""The numbers of coefficients that each model can have."""
# Other names of these models, in lower case. "Inverse" and "Modified Brown Conrady" are not among
# them: they apply the polynomial in another way.
_OTHER_NAMES = {
    'none': '',
    'brown_conrady': 'plumb_bob',
    'radtan': 'plumb_bob',
    'radial_tangential': 'plumb_bob',
    'fisheye': 'equidistant',
    'kannala_brandt': 'equidistant',
    'kannala_brandt4': 'equidistant',
}

# A ray at 90 degrees to the optical axis has no finite x/z.
_MAX_ANGLE = math.radians(89.9)
_PROFILE_SAMPLES = 4097
# The table is accurate to 1e-3, or to the size of the part that is not radial, and each step
# squares the error; near the fold it takes more.
_NEWTON_STEPS = 8
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

    model: str = ''
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.model not in COEFFICIENT_COUNTS:
            known = ', '.join(repr(name) for name in COEFFICIENT_COUNTS)
            raise InputError(
                f'distortion model {self.model!r} is not supported; expected one of {known}'
            )
        counts = COEFFICIENT_COUNTS[self.model]
        if len(self.coefficients) not in counts:
            raise InputError(
                f'distortion model {self.model!r} got {len(self.coefficients)} coefficients, '
                f'expected {" or ".join(map(str, counts))}'
            )
        if not all(map(math.isfinite, self.coefficients)):
            raise InputError(
                f'distortion coefficients {self.coefficients} must all be finite; '
                'calibrate the camera again'
            )

    @classmethod
    def named(cls, name: str, coefficients: tuple[float, ...]) -> 'Lens':
        """
        Return the lens of a model by any name in use, such as 'Brown Conrady' or 'fisheye'.

        All-zero coefficients mean no distortion, whatever the name. Zeros after the coefficients
        of a model are dropped; some drivers append them.

        :raises InputError: as for `Lens`.
        """
        if not any(coefficients):
            return cls()
        plain = name.strip().lower().removeprefix('distortion.').replace(' ', '_')
        model = _OTHER_NAMES.get(plain, plain)
        for count in COEFFICIENT_COUNTS.get(model, ()):
            if count and not any(coefficients[count:]):
                coefficients = coefficients[:count]
        return cls(model if model in COEFFICIENT_COUNTS else name, coefficients)

    def distort(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the distorted coordinates of ideal ones, NaN outside the valid field."""
        if not self.model:
            return x, y
        x, y = self._distort_upright(x, y)
        return _project(self._tilt(), x, y)

    def undistort(self, x: Array, y: Array) -> tuple[Array, Array]:
        """
        Return the ideal coordinates of distorted ones, NaN where there are none.

        The start value is the radial part from a table of the valid field, so that the iteration
        stays inside that field; Newton's method then includes the rest.
        """
        if not self.model:
            return x, y
        x, y = _project(np.asarray(np.linalg.inv(self._tilt()), np.float64), x, y)
        radii, angles = self._profile()
        radius = np.maximum(np.hypot(x, y), 1e-12)
        with np.errstate(all='ignore'):
            start = np.tan(np.interp(radius, radii, angles, right=np.nan)) / radius
            ideal_x, ideal_y = x * start, y * start
            for _ in range(_NEWTON_STEPS):
                step_x, step_y = self._newton_step(ideal_x, ideal_y, (x, y))
                ideal_x, ideal_y = ideal_x - step_x, ideal_y - step_y
            back_x, back_y = self._distort_upright(ideal_x, ideal_y)
            found = np.hypot(back_x - x, back_y - y) < _TOLERANCE
        return np.where(found, ideal_x, np.nan), np.where(found, ideal_y, np.nan)

    def _distort_upright(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the distorted coordinates on a sensor without tilt."""
        _, angles = self._profile()
        with np.errstate(all='ignore'):
            outside = x * x + y * y > math.tan(angles[-1]) ** 2
            distorted_x, distorted_y, _ = self._forward(x, y)
        return np.where(outside, np.nan, distorted_x), np.where(outside, np.nan, distorted_y)

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
        distorted_x, distorted_y, (xx, xy, yx, yy) = self._forward(x, y)
        error_x, error_y = distorted_x - target[0], distorted_y - target[1]
        determinant = xx * yy - xy * yx
        return (
            (yy * error_x - xy * error_y) / determinant,
            (xx * error_y - yx * error_x) / determinant,
        )

    def _forward(self, x: Array, y: Array) -> tuple[Array, Array, tuple[Array, ...]]:
        """Return the distorted coordinates and their Jacobian (xx, xy, yx, yy)."""
        p1, p2 = self._brown[2:4]
        s1, s2, s3, s4 = self._brown[8:12]
        r = x * x + y * y
        gain, slope = self._gain(r)
        distorted_x = x * gain + 2 * p1 * x * y + p2 * (r + 2 * x * x) + r * (s1 + r * s2)
        distorted_y = y * gain + 2 * p2 * x * y + p1 * (r + 2 * y * y) + r * (s3 + r * s4)
        xx = gain + 2 * slope * x * x + 2 * p1 * y + 6 * p2 * x
        symmetric = 2 * (slope * x * y + p1 * x + p2 * y)
        yy = gain + 2 * slope * y * y + 6 * p1 * y + 2 * p2 * x
        prism_x, prism_y = 2 * s1 + 4 * s2 * r, 2 * s3 + 4 * s4 * r
        jacobian = (
            xx + prism_x * x,
            symmetric + prism_x * y,
            symmetric + prism_y * x,
            yy + prism_y * y,
        )
        return distorted_x, distorted_y, jacobian

    def _gain(self, r: Array) -> tuple[Array, Array]:
        """Return the radial gain at a squared radius, and its derivative by the squared radius."""
        if self.model == 'equidistant':
            return _angular_gain(r, self.coefficients)
        return _polynomial_gain(r, self._brown)

    def _tilt(self) -> Array:
        """Return the homography (3, 3) of the tilt of the sensor."""
        tx, ty = self._brown[12:]
        about_x = np.array(
            [
                [1.0, 0.0, 0.0],
                [0.0, math.cos(tx), math.sin(tx)],
                [0.0, -math.sin(tx), math.cos(tx)],
            ]
        )
        about_y = np.array(
            [
                [math.cos(ty), 0.0, -math.sin(ty)],
                [0.0, 1.0, 0.0],
                [math.sin(ty), 0.0, math.cos(ty)],
            ]
        )
        rotation = about_y @ about_x
        x, y, z = rotation[:, 2]
        onto_sensor = np.array([[z, 0.0, -x], [0.0, z, -y], [0.0, 0.0, 1.0]])
        return np.asarray(onto_sensor @ rotation)

    @property
    def _brown(self) -> tuple[float, ...]:
        """All 14 coefficients of Brown's models; zeros for `equidistant`."""
        known = () if self.model == 'equidistant' else self.coefficients
        return (*known, *(0.0,) * (_BROWN[-1] - len(known)))


def _project(homography: Array, x: Array, y: Array) -> tuple[Array, Array]:
    if np.array_equal(homography, np.eye(3)):
        return x, y
    u, v, w = (row[0] * x + row[1] * y + row[2] for row in homography)
    with np.errstate(all='ignore'):
        return u / w, v / w


def _polynomial_gain(r: Array, coefficients: tuple[float, ...]) -> tuple[Array, Array]:
    k1, k2, _, _, k3, k4, k5, k6 = coefficients[:8]
    top = 1 + r * (k1 + r * (k2 + r * k3))
    top_slope = k1 + r * (2 * k2 + r * 3 * k3)
    bottom = 1 + r * (k4 + r * (k5 + r * k6))
    bottom_slope = k4 + r * (2 * k5 + r * 3 * k6)
    gain = top / bottom
    return gain, (top_slope - gain * bottom_slope) / bottom


def _angular_gain(r: Array, coefficients: tuple[float, ...]) -> tuple[Array, Array]:
    k1, k2, k3, k4 = coefficients
    # The slope is 0/0 on the axis; this lower limit does not change the Jacobian noticeably.
    r = np.maximum(r, 1e-12)
    radius = np.sqrt(r)
    angle = np.arctan(radius)
    a2 = angle * angle
    gain = angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4)))) / radius
    angular_slope = 1 + a2 * (3 * k1 + a2 * (5 * k2 + a2 * (7 * k3 + a2 * 9 * k4)))
    return gain, (angular_slope / (1 + r) - gain) / (2 * r)
