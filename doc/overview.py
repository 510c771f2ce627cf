"""
Draw the image of the README: one frame as image, depth preview and point cloud, side by side.

    flashdepth infer recordings/sample -o /tmp/depth --points --color \
        --points-stride 1 --points-edge-threshold 0.05 --color-min 1 --color-max 8
    python doc/overview.py recordings/sample /tmp/depth 44 doc/overview.jpg
"""

from pathlib import Path
import sys

import cv2
import numpy as np

from flashdepth_ros.bags import BagReader
from flashdepth_ros.messages import read_compressed, read_rgb

IMAGE = '/camera/image_raw/compressed'
PANEL = (600, 450)
GAP, CAPTION = 12, 44
BACKGROUND = (32, 34, 38)
# Where the cloud is seen from, and the point looked at, m in the camera's optical frame.
EYE, TARGET = np.array((0.9, -2.3, -1.8)), np.array((0.0, -0.2, 3.0))
FOCAL_PX, POINT_M = 420, 0.012
OVERSAMPLING = 2


def message(bag: Path, topic: str, index: int):
    with BagReader(bag) as reader:
        return reader.message(list(reader.records(topic))[index])


def cloud(points):
    """Return the valid points (N, 3) of a PointCloud2 in metres and their colours (N, 3) RGB."""
    values = np.ascontiguousarray(points.data).view(np.float32)
    values = values.reshape(-1, points.point_step // 4)
    values = values[np.isfinite(values[:, :3]).all(axis=1)]
    return values[:, :3], np.ascontiguousarray(values[:, 3:4]).view(np.uint8)[:, 2::-1]


def in_view(points):
    """Return the points (N, 3) in the frame of the view: right, down, forward."""
    forward = (TARGET - EYE) / np.linalg.norm(TARGET - EYE)
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    return (points - EYE) @ np.stack([right, np.cross(forward, right), forward]).T


def covered(points, size):
    """Yield rows and columns of the pixels that points cover, and the indices of the points."""
    width, height = size
    focal_px, z = FOCAL_PX * OVERSAMPLING, points[:, 2]
    columns = np.rint(focal_px * points[:, 0] / z + width / 2).astype(int)
    rows = np.rint(focal_px * points[:, 1] / z + height / 2).astype(int)
    radius = np.clip(np.rint(POINT_M * focal_px / z / 2), 1, 6).astype(int)
    for each in np.unique(radius):
        of_radius = np.flatnonzero(radius == each)
        for dy, dx in np.ndindex(2 * each + 1, 2 * each + 1):
            y, x = rows[of_radius] + dy - each, columns[of_radius] + dx - each
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            yield y[inside], x[inside], of_radius[inside]


def drawn(points, colours):
    """Return the view of the cloud: at each pixel the mean colour of the nearest points."""
    size = (PANEL[0] * OVERSAMPLING, PANEL[1] * OVERSAMPLING)
    points = in_view(points)
    colours, points = colours[points[:, 2] > 0.1], points[points[:, 2] > 0.1]
    nearest = np.full(size[::-1], np.inf)
    sums = np.zeros((*size[::-1], 4))
    for y, x, index in covered(points, size):
        np.minimum.at(nearest, (y, x), points[index, 2])
    for y, x, index in covered(points, size):
        front = points[index, 2] <= 1.02 * nearest[y, x]
        np.add.at(sums, (y[front], x[front]), np.insert(colours[index[front]], 3, 1, axis=1))
    view = np.full((*size[::-1], 3), BACKGROUND, float)
    hit = sums[..., 3] > 0
    view[hit] = sums[hit, :3] / sums[hit, 3:]
    return view.astype(np.uint8)


def main(recording: str, inferred: str, index: str, output: str) -> None:
    image = read_compressed(message(Path(recording), IMAGE, int(index)))
    preview = read_rgb(message(Path(inferred), '/depth/image_color', int(index)))
    points = drawn(*cloud(message(Path(inferred), '/points', int(index))))
    panels = {'image': image, 'depth, 1 m (red) to 8 m (blue)': preview, 'point cloud': points}
    width = len(panels) * (PANEL[0] + GAP) - GAP
    sheet = np.full((CAPTION + PANEL[1], width, 3), 255, np.uint8)
    for column, (caption, picture) in enumerate(panels.items()):
        left = column * (PANEL[0] + GAP)
        resized = cv2.resize(picture, PANEL, interpolation=cv2.INTER_AREA)
        sheet[CAPTION:, left : left + PANEL[0]] = resized
        (text_width, _), _ = cv2.getTextSize(caption, cv2.FONT_HERSHEY_SIMPLEX, 0.95, 2)
        corner = (left + (PANEL[0] - text_width) // 2, CAPTION - 14)
        cv2.putText(
            sheet, caption, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.95, (40, 40, 40), 2, cv2.LINE_AA
        )
    cv2.imwrite(output, sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == '__main__':
    main(*sys.argv[1:])
