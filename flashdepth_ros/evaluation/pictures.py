"""What a report shows of a frame, and of one column over time."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import Float32, edge_mask
from flashdepth_ros.evaluation.lidar import spread
from flashdepth_ros.messages import colorize

UInt8 = npt.NDArray[np.uint8]

PICTURE_WIDTH = 360
#: A jump to a neighbour by this share of the nearer depth is drawn as a boundary.
EDGE = 0.15
#: The error at the end of its scale of colours.
ERROR_MAX = 0.5
#: Okabe and Ito's colours, which the colour-blind tell apart.
FOUND, MISSED, INVENTED = (240, 240, 240), (230, 159, 0), (86, 180, 233)
_PAPER = (24, 26, 30)
_UNKNOWN = (90, 90, 90)
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 85]


@dataclass(frozen=True)
class Range:
    """What the colours of depth stand for, metres."""

    minimum_m: float
    maximum_m: float

    @staticmethod
    def of(truth: Float32, sparse_default: tuple[float, float] = (0.5, 20.0)) -> Range:
        """Return the range that holds all but the outermost hundredths of true depth."""
        known = truth[np.isfinite(truth)]
        nearest, farthest = np.percentile(known, (1, 99)) if known.size else sparse_default
        return Range(float(nearest), float(max(farthest, 1.05 * nearest)))


def pictures(rgb: UInt8, depth: Float32, truth: Float32, dense: bool) -> dict[str, bytes]:
    """Return image, prediction, truth, error and, of dense truth, boundaries, as files."""
    colours = Range.of(truth)
    limits = (colours.minimum_m, colours.maximum_m)
    seen = truth if dense else _thickened(truth)
    shown = {
        'image': rgb,
        'prediction': colorize(depth, *limits),
        'truth': _on_paper(colorize(seen, *limits), seen),
        'error': error_map(depth, seen),
    }
    if dense:
        shown['boundaries'] = boundary_map(depth, truth)
    return {name: encoded(_fitted(picture)) for name, picture in shown.items()}


def error_map(depth: Float32, truth: Float32) -> UInt8:
    """Return relative errors (H, W, 3): dark none, yellow half of the depth and more."""
    with np.errstate(invalid='ignore'):
        error = np.abs(depth - truth) / truth / ERROR_MAX
    levels = np.nan_to_num(255 * np.clip(error, 0, 1)).astype(np.uint8)
    bgr = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    picture = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    picture[~np.isfinite(error)] = _UNKNOWN
    return picture


def boundary_map(depth: Float32, truth: Float32) -> UInt8:
    """Return boundaries (H, W, 3): white in both, orange in truth only, blue predicted only."""
    known = np.isfinite(truth)
    predicted = edge_mask(np.where(known, depth, np.nan).astype(np.float32), EDGE)
    true = edge_mask(truth, EDGE)
    picture = np.full((*truth.shape, 3), _PAPER, np.uint8)
    picture[~known] = _UNKNOWN
    for mask, colour in (
        (true & ~predicted, MISSED),
        (predicted & ~true, INVENTED),
        (predicted & true, FOUND),
    ):
        picture[mask] = colour
    return picture


def depth_slice(columns: list[Float32], limits: Range) -> bytes:
    """Return one column of depth over time, time to the right, as a file."""
    picture = np.stack(columns, axis=1)
    return encoded(_on_paper(colorize(picture, limits.minimum_m, limits.maximum_m), picture))


def image_slice(columns: list[UInt8]) -> bytes:
    """Return one column of the image over time, time to the right, as a file."""
    return encoded(np.stack(columns, axis=1))


def encoded(picture: UInt8) -> bytes:
    """Return an RGB picture as the bytes of a file: photographs as JPEG, few colours as PNG."""
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    png = cv2.imencode('.png', bgr)[1].tobytes()
    jpeg = cv2.imencode('.jpg', bgr, _JPEG)[1].tobytes()
    return min(png, jpeg, key=len)


def _on_paper(picture: UInt8, depth: Float32) -> UInt8:
    picture = picture.copy()
    picture[np.isnan(depth)] = _UNKNOWN
    return picture


def _thickened(depth: Float32) -> Float32:
    """Let a lidar's points cover their neighbours, so that they can be seen."""
    size = 2 * max(1, depth.shape[1] // 200) + 1
    near = np.where(np.isnan(depth), np.inf, depth).astype(np.float32)
    thick = spread(near, size)
    return np.where(np.isinf(thick), np.nan, thick).astype(np.float32)


def _fitted(picture: UInt8) -> UInt8:
    height, width = picture.shape[:2]
    if width <= PICTURE_WIDTH:
        return picture
    size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
