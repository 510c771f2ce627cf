"""What is known of the camera of an image or depth topic, and whether two are of one camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flashdepth_ros.bags.find import find_camera_info_topic, first_valid
from flashdepth_ros.bags.frames import Frames
from flashdepth_ros.bags.reader import BagReader, Topic
from flashdepth_ros.camera.camera_info import is_rectified, read_intrinsics, rectified
from flashdepth_ros.camera.comparison import camera_difference
from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.camera.sampling import has_aspect
from flashdepth_ros.errors import BagError
from flashdepth_ros.messages import read_depth


@dataclass(frozen=True)
class View:
    """The camera of a topic: size and frame_id of its first image, and its intrinsics."""

    topic: str
    shape: tuple[int, int]
    frame_id: str
    camera: Intrinsics | None

    @staticmethod
    def of_images(frames: Frames, any_camera_info: bool = False) -> View:
        """
        Read the first valid image.

        :param any_camera_info: whether camera_info may have another frame_id than the image.
        :raises BagError: there is no valid image.
        """
        for frame in frames:
            camera = None
            if frame.camera is not None and (
                any_camera_info
                or _is_same_frame(frame.camera.info.header.frame_id, frame.frame_id)
            ):
                camera = frame.camera.intrinsics
            height, width = frame.rgb.shape[:2]
            return View(frames.image.name, (height, width), frame.frame_id, camera)
        raise BagError(f'{frames.bag.path}: {frames.image} has no valid image')

    @staticmethod
    def of_depth(bag: BagReader, topic: Topic) -> View:
        """
        Read the first valid depth image and the camera_info of its frame_id or namespace.

        :raises BagError: there is no valid depth image.
        """

        def read(message: Any) -> tuple[tuple[int, int], str]:
            height, width = read_depth(message).shape
            return (height, width), message.header.frame_id

        shape, frame_id = first_valid(bag, topic, read)
        return View(topic.name, shape, frame_id, _depth_camera(bag, topic, shape, frame_id))

    def difference(self, other: View) -> str:
        """Return how the camera of another view differs from this one; '': not, or unknown."""
        return self.frame_difference(other) or self.camera_difference(other)

    def frame_difference(self, other: View) -> str:
        """Return how the frame_id differs; an empty one is unknown, a leading slash is ignored."""
        if _is_same_frame(self.frame_id, other.frame_id):
            return ''
        return f'frame_id {other.frame_id!r} instead of {self.frame_id!r}'

    def camera_difference(self, other: View) -> str:
        """Return how the intrinsics differ, beyond rounding, at the size of the other view."""
        if self.camera is None or other.camera is None:
            return ''
        return camera_difference(self.camera, other.camera)


def _depth_camera(
    bag: BagReader, topic: Topic, shape: tuple[int, int], frame_id: str
) -> Intrinsics | None:
    info = find_camera_info_topic(bag, topic)
    if info is None:
        return None

    def read(message: Any) -> tuple[Intrinsics, str]:
        info = rectified(message) if is_rectified('auto', topic.name) else message
        return read_intrinsics(info), message.header.frame_id

    try:
        camera, info_frame_id = first_valid(bag, info, read)
    except BagError:
        return None
    is_known = bool(info_frame_id and frame_id)
    if not (_is_same_frame(info_frame_id, frame_id) and (is_known or _is_above(info, topic))):
        return None
    if not has_aspect((camera.height, camera.width), shape):
        return None
    return camera.resized(shape[1], shape[0])


def _is_above(info: Topic, topic: Topic) -> bool:
    """Return whether a topic is in the namespace of a camera_info, or in one inside it."""
    # Recordings of ROS 1 may lack the leading slash.
    namespace = f'/{info.name.lstrip("/")}'.rpartition('/')[0]
    return f'/{topic.name.lstrip("/")}'.startswith(f'{namespace}/')


def _is_same_frame(first: str, second: str) -> bool:
    first, second = first.lstrip('/'), second.lstrip('/')
    return first == second or not (first and second)
