"""Pictures for the report: image, depth, error and boundaries of a frame; columns over time."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import Float32, edge_mask
from flashdepth_ros.camera.projection import local_minimum
from flashdepth_ros.messages import colorize
from flashdepth_ros.presentation import DepthRange

UInt8 = npt.NDArray[np.uint8]

PICTURE_WIDTH = 360
#: A depth jump to a neighbour by this fraction of the smaller depth is drawn as a boundary.
EDGE = 0.15
#: The relative error at the end of its colour scale.
ERROR_MAX = 0.5
#: From the palette of Okabe and Ito, which colour-blind readers can distinguish.
MATCHED, MISSED, FALSE = (240, 240, 240), (230, 159, 0), (86, 180, 233)
UNKNOWN = (90, 90, 90)
_BACKGROUND = (24, 26, 30)
_DEFAULT_RANGE_M = (0.5, 20.0)
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 85]


def depth_range(truth: Float32) -> DepthRange:
    """Return the range of true depth in metres, from the 1st to the 99th percentile."""
    known = truth[np.isfinite(truth)]
    nearest, farthest = np.percentile(known, (1, 99)) if known.size else _DEFAULT_RANGE_M
    return DepthRange(float(nearest), float(max(farthest, 1.05 * nearest)))


def frame_pictures(
    rgb: UInt8, depth: Float32, truth: Float32, dense: bool
) -> tuple[DepthRange, dict[str, bytes]]:
    """
    Return the colour range of depth, and the pictures of a frame as image files by name.

    :param dense: whether the ground truth is dense; only then there is a boundary picture.
    """
    colours = depth_range(truth)
    limits = (colours.minimum, colours.maximum)
    visible = truth if dense else _enlarge_points(truth)
    pictures = {
        'image': rgb,
        'prediction': colorize(depth, *limits),
        'ground truth': _mark_unknown(colorize(visible, *limits), visible),
        'relative error': error_map(depth, visible),
    }
    if dense:
        pictures['boundaries'] = boundary_map(depth, truth)
    return colours, {name: encode(_shrink(picture)) for name, picture in pictures.items()}


def error_map(depth: Float32, truth: Float32) -> UInt8:
    """Return the relative error in colour (H, W, 3); grey without ground truth."""
    with np.errstate(invalid='ignore'):
        error = np.abs(depth - truth) / truth / ERROR_MAX
    picture = error_colours(np.nan_to_num(np.clip(error, 0, 1)))
    picture[~np.isfinite(error)] = UNKNOWN
    return picture


def error_colours(fractions: npt.NDArray[np.floating]) -> UInt8:
    """Return the RGB colours (H, W, 3) of errors (H, W), given as fractions of ERROR_MAX."""
    levels = (255 * fractions).astype(np.uint8)
    bgr = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def boundary_map(depth: Float32, truth: Float32) -> UInt8:
    """Return the depth boundaries (H, W, 3), coloured as MATCHED, MISSED or FALSE."""
    known = np.isfinite(truth)
    predicted = edge_mask(np.where(known, depth, np.nan).astype(np.float32), EDGE)
    true = edge_mask(truth, EDGE)
    picture = np.full((*truth.shape, 3), _BACKGROUND, np.uint8)
    picture[~known] = UNKNOWN
    for mask, colour in (
        (true & ~predicted, MISSED),
        (predicted & ~true, FALSE),
        (predicted & true, MATCHED),
    ):
        picture[mask] = colour
    return picture


def depth_slice(columns: list[Float32], colours: DepthRange) -> bytes:
    """Return columns of depth side by side, time to the right, as an image file."""
    depth = np.stack(columns, axis=1)
    return encode(_mark_unknown(colorize(depth, colours.minimum, colours.maximum), depth))


def image_slice(columns: list[UInt8]) -> bytes:
    """Return columns of images side by side, time to the right, as an image file."""
    return encode(np.stack(columns, axis=1))


def encode(picture: UInt8) -> bytes:
    """Return an RGB picture as the smaller of a PNG and a JPEG file."""
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    png = cv2.imencode('.png', bgr)[1].tobytes()
    jpeg = cv2.imencode('.jpg', bgr, _JPEG)[1].tobytes()
    return min(png, jpeg, key=len)


def _mark_unknown(picture: UInt8, depth: Float32) -> UInt8:
    picture = picture.copy()
    picture[np.isnan(depth)] = UNKNOWN
    return picture


def _enlarge_points(depth: Float32) -> Float32:
    """Enlarge the points of a lidar to make them visible."""
    size = 2 * max(1, depth.shape[1] // 200) + 1
    filled = np.where(np.isnan(depth), np.inf, depth).astype(np.float32)
    enlarged = local_minimum(filled, size)
    return np.where(np.isinf(enlarged), np.nan, enlarged).astype(np.float32)


def _shrink(picture: UInt8) -> UInt8:
    height, width = picture.shape[:2]
    if width <= PICTURE_WIDTH:
        return picture
    size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
