"""Recordings with exactly known depth: a camera that moves in front of a slanted wall."""

from pathlib import Path
import struct

import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags import BagReader, BagWriter, build_message, header
from flashdepth_ros.camera.geometry import Intrinsics

WIDTH, HEIGHT, FOCAL = 64, 48, 50.0
STEP_NS = 10**8
FRAMES = 6
CAMERA = 'camera_optical_frame'
CAMERA_64 = Intrinsics(WIDTH, HEIGHT, FOCAL, FOCAL, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
NORMAL, OFFSET = np.array([0.2, -0.1, 1.0]), 4.0

Float64 = npt.NDArray[np.float64]


def stamp_ns(index: int) -> int:
    return 10**9 + index * STEP_NS


def camera_position(index: int) -> Float64:
    """Return the position (3,) of the camera in metres; the camera does not rotate."""
    return np.array([0.05, -0.02, 0.08]) * index


def wall_depth(index: int, width: int = WIDTH, height: int = HEIGHT) -> npt.NDArray[np.float32]:
    """Return Z (H, W) of the wall in metres, for an image of this size."""
    scale = width / WIDTH
    rows, columns = np.mgrid[:height, :width]
    x = (columns - (width - 1) / 2) / (FOCAL * scale)
    y = (rows - (height - 1) / 2) / (FOCAL * scale)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)
    return ((OFFSET - camera_position(index) @ NORMAL) / (rays @ NORMAL)).astype(np.float32)


def checkerboard(index: int) -> npt.NDArray[np.uint8]:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    pattern = (rows // 6 + (columns + 2 * index) // 6) % 2
    return np.stack([80 + 120 * pattern, 3 * columns, 4 * rows], axis=-1).astype(np.uint8)


def depth_image(depth, stamp: int, encoding: str = '32FC1', frame_id: str = CAMERA):
    pixels = depth if encoding == '32FC1' else np.nan_to_num(1000 * depth).astype(np.uint16)
    return build_message(
        'sensor_msgs/msg/Image',
        header=header(stamp, frame_id),
        height=depth.shape[0],
        width=depth.shape[1],
        encoding=encoding,
        step=pixels.strides[0],
        data=np.ascontiguousarray(pixels).tobytes(),
    )


def write_bag(
    path: Path, truth=wall_depth, offset_ns: int = 0, images: bool = True, encoding: str = '32FC1'
) -> Path:
    """Write images, camera_info, odometry and, unless `truth` is None, the depths it returns."""
    with BagWriter(path) as bag:
        for index in range(FRAMES):
            stamp = stamp_ns(index)
            bag.write('/camera/camera_info', camera_info(stamp), stamp)
            if images:
                bag.write('/camera/image_raw', image(checkerboard(index), stamp), stamp)
            bag.write('/odom', odometry(index), stamp)
            if truth is not None:
                depth = depth_image(truth(index), stamp + offset_ns, encoding)
                bag.write('/camera/depth', depth, stamp + max(offset_ns, 0))
    return path


def write_predictions(path: Path, predict, frames: int = FRAMES) -> Path:
    """Write the depth that `predict` returns for every frame index."""
    with BagWriter(path) as bag:
        for index in range(frames):
            stamp = stamp_ns(index)
            bag.write('/depth/image', depth_image(predict(index), stamp), stamp)
    return path


def restamp(source: Path, target: Path, stamp_at, topics=None) -> Path:
    """Copy a bag with other header stamps; `stamp_at` returns them for times of recording."""
    with BagReader(source) as bag, BagWriter(target) as writer:
        for record in bag.records():
            data = bytearray(record.data)
            if topics is None or record.topic in topics:
                struct.pack_into('<iI', data, 4, *divmod(stamp_at(record.stamp_ns), 10**9))
            writer.write_cdr(record.topic, record.type, bytes(data), record.stamp_ns)
    return target


def image(rgb, stamp: int):
    return build_message(
        'sensor_msgs/msg/Image',
        header=header(stamp, CAMERA),
        height=rgb.shape[0],
        width=rgb.shape[1],
        encoding='rgb8',
        step=rgb.strides[0],
        data=rgb.tobytes(),
    )


def camera_info(stamp: int, camera: Intrinsics = CAMERA_64, frame_id: str = CAMERA):
    return build_message(
        'sensor_msgs/msg/CameraInfo',
        header=header(stamp, frame_id),
        width=camera.width,
        height=camera.height,
        k=camera.matrix.ravel(),
    )


def odometry(index: int):
    x, y, z = camera_position(index).tolist()
    pose = {'position': {'x': x, 'y': y, 'z': z}, 'orientation': {'w': 1.0}}
    return build_message(
        'nav_msgs/msg/Odometry',
        header=header(stamp_ns(index), 'odom'),
        child_frame_id=CAMERA,
        pose={'pose': pose},
    )


def transforms(*frames):
    """Return a TFMessage of poses (7,) as (parent, child, stamp, pose)."""
    return build_message(
        'tf2_msgs/msg/TFMessage',
        transforms=[
            build_message(
                'geometry_msgs/msg/TransformStamped',
                header=header(stamp_ns, parent),
                child_frame_id=child,
                transform={
                    'translation': dict(zip('xyz', pose[:3], strict=True)),
                    'rotation': dict(zip('xyzw', pose[3:], strict=True)),
                },
            )
            for parent, child, stamp_ns, pose in frames
        ],
    )


def cloud(points, frame_id: str = 'lidar', stamp: int = 0):
    """Return a PointCloud2 of points (N, 3); its first field is not x."""
    data = np.zeros(len(points), [('intensity', 'f4'), ('x', 'f4'), ('y', 'f4'), ('z', 'f4')])
    data['x'], data['y'], data['z'] = points.T
    fields = [
        {'name': name, 'offset': 4 * position, 'datatype': 7, 'count': 1}
        for position, name in enumerate(data.dtype.names)
    ]
    return build_message(
        'sensor_msgs/msg/PointCloud2',
        header=header(stamp, frame_id),
        height=1,
        width=len(points),
        fields=[build_message('sensor_msgs/msg/PointField', **field) for field in fields],
        point_step=16,
        row_step=16 * len(points),
        data=data.tobytes(),
    )
