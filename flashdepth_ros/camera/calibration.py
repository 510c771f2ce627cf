"""Keep the last camera_info of each frame_id, and find the one that belongs to an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
import time
from typing import Any

from flashdepth_ros.camera.camera_info import read_lens, read_pinhole, rectified
from flashdepth_ros.camera.canonical import CanonicalCamera
from flashdepth_ros.camera.geometry import Intrinsics, matrix_numbers
from flashdepth_ros.camera.lens import Lens
from flashdepth_ros.errors import InputError

_FRAMES_MAX = 16
"""Cameras kept, so that changing frame_ids do not fill the memory."""


@dataclass(frozen=True)
class Camera:
    """A calibrated camera: its CameraInfo message, and size, K and lens of its images."""

    info: Any
    """A sensor_msgs/CameraInfo or any object with the same fields."""
    pinhole: Intrinsics
    """Size and K of the delivered images, without distortion."""
    lens: Lens | None
    """None: the distortion is unknown."""
    lens_error: str = ''
    """Why the distortion is unknown."""

    @staticmethod
    def read(info: Any) -> Camera:
        """
        Read a camera_info; only its distortion may be unknown.

        :raises InputError: the camera is not calibrated, or size, matrix or region are invalid.
        """
        pinhole = read_pinhole(info)
        try:
            return Camera(info, pinhole, read_lens(info))
        except InputError as error:
            return Camera(info, pinhole, None, str(error))

    @property
    def intrinsics(self) -> Intrinsics | None:
        """Size, K and distortion of the delivered images; None if the distortion is unknown."""
        return None if self.lens is None else self.pinhole.with_lens(self.lens)

    @property
    def matrix(self) -> tuple[float, ...]:
        """Return K of the delivered images in row-major order."""
        return matrix_numbers(self.pinhole.matrix)

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height of the delivered images, px."""
        return self.pinhole.width, self.pinhole.height

    def resized(self, width: int, height: int) -> Camera:
        """Return the camera of the same image scaled to another size."""
        return replace(self, pinhole=self.pinhole.resized(width, height))


@dataclass(frozen=True)
class Finding:
    """Something about the camera_info of an image that the user has to know."""

    kind: str
    text: str
    lost: bool = True
    """Whether point cloud or metres are lost; False: everything is used as it is."""


class CameraInfoCache:
    """
    Keeps the last calibrated camera_info of each frame_id.

    One thread may call `receive` while another one calls `matching`.

    :param warn: called once for each kind of finding.
    :param remedy: how to use another camera_info.
    :param refusal: how to refuse one with another frame_id, after the remedy.
    """

    def __init__(
        self,
        warn: Callable[[str], Any],
        remedy: str = 'remap camera_info to the topic that belongs to the image topic',
        refusal: str = ' or set camera_info.require_frame_id',
    ) -> None:
        self.canonical = CanonicalCamera()
        """Of the model whose metres depend on K."""
        self.require_frame_id = False
        """Whether a camera_info with another frame_id than the image's is refused."""
        self.rectified = False
        """Whether the images are rectified, so that P is their camera."""
        self.camera: Camera | None = None
        """Of the last image."""
        self.findings: tuple[Finding, ...] | None = None
        """What is wrong with the camera_info of the last image; None before the first one."""
        self._warn, self._remedy, self._refuse = warn, remedy, refusal
        self._cameras: dict[str, Camera] = {}
        self._invalid: Finding | None = None
        self._missing_since_s: float | None = None
        self._warned: set[str] = set()

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width, px, of the images of the last message; None before the first one."""
        pinhole = next((each.pinhole for each in reversed(self._cameras.values())), None)
        return None if pinhole is None else (pinhole.height, pinhole.width)

    def restart(self) -> None:
        """Forget all messages; a warning is not repeated."""
        self._cameras, self._invalid, self._missing_since_s = {}, None, None

    def receive(self, info: Any) -> None:
        """Store a CameraInfo message; ignore it and warn if it is not calibrated."""
        try:
            camera = Camera.read(rectified(info) if self.rectified else info)
        except InputError as error:
            kept = 'the last valid one is still used'
            loss = kept if self._cameras else self.canonical.loss()
            text = f'invalid camera_info: {error}: {loss}'
            self._invalid = Finding('invalid', text)
            self._warn_once(self._invalid)
            return
        frame = _without_slash(info.header.frame_id)
        others = [each for each in self._cameras.items() if each[0] != frame]
        self._cameras = dict([*others, (frame, camera)][-_FRAMES_MAX:])

    def matching(self, frame_id: str, height: int, width: int) -> Camera | None:
        """Return the camera of an image, None if unknown; warn once of each kind of finding."""
        camera, findings = self._find(frame_id, (width, height))
        self.camera, self.findings = camera, tuple(findings)
        for finding in findings:
            if finding.kind != 'missing':
                self._warn_once(finding)
        return camera

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the user has to know about the camera of the last image, if it has one."""
        findings = self.findings or ()
        return tuple(finding.text for finding in findings) if self.camera is not None else ()

    @property
    def missing_s(self) -> float:
        """Return the time since the first image while no camera_info has arrived, else 0."""
        since_s = self._missing_since_s
        received = self._cameras or self._invalid
        return 0.0 if since_s is None or received else time.monotonic() - since_s

    def report_missing(self, description: str, advice: str = '') -> None:
        """Warn, once, that no camera_info has arrived; say what this means."""
        text = f'{description}: {self.canonical.loss()}{advice}'
        if not self._cameras and self._invalid is None:
            self._warn_once(Finding('missing', text))

    def _find(self, frame_id: str, size: tuple[int, int]) -> tuple[Camera | None, list[Finding]]:
        cameras, frame = self._cameras, _without_slash(frame_id)
        if not cameras:
            self._missing_since_s = self._missing_since_s or time.monotonic()
            missing = Finding('missing', f'no camera_info: {self.canonical.loss()}')
            return None, [self._invalid or missing]
        # An empty frame_id fits all others.
        fitting = [camera for name, camera in cameras.items() if not (name and frame)]
        of_this_size = [camera for camera in cameras.values() if camera.size == size]
        own = cameras.get(frame) or next(reversed(fitting), None)
        camera = own or (of_this_size or list(cameras.values()))[-1]
        other = (
            f'camera_info has frame_id {camera.info.header.frame_id!r}, the image has {frame_id!r}'
        )
        difference = '' if own else other
        refused = self._refused(camera, difference, size)
        if refused is not None:
            return None, [refused]
        doubts = self._doubts_about(camera, difference, size)
        return (camera if camera.size == size else camera.resized(*size)), doubts

    def _refused(
        self, camera: Camera, frame_difference: str, size: tuple[int, int]
    ) -> Finding | None:
        """Return why a camera_info cannot be used for an image, None if it can."""
        if frame_difference and self.require_frame_id:
            kind = 'frame_id refused'
            reason = f'{frame_difference}, and camera_info.require_frame_id is true'
        elif camera.size == size or (not frame_difference and _is_scaled(camera.size, size)):
            return None
        else:
            kind = 'size'
            differences = _size_difference(camera, size), frame_difference
            reason = ' and '.join(filter(None, differences))
        return Finding(kind, f'{reason}: {self.canonical.loss(camera.pinhole)}; {self._remedy}')

    def _doubts_about(
        self, camera: Camera, frame_difference: str, size: tuple[int, int]
    ) -> list[Finding]:
        """Return what the user has to know about a camera_info that is used for an image."""
        doubts = []
        if frame_difference:
            text = (
                f'{frame_difference}: it is used because its size fits; if it is of another '
                f'camera, {self._remedy}{self._refuse}'
            )
            doubts.append(Finding('frame_id', text, lost=False))
        if camera.size != size:
            text = (
                f'{_size_difference(camera, size)}: K is scaled by '
                f'{size[0] / camera.size[0]:.3g}, which is right for a scaled image but not for a '
                'cropped one'
            )
            doubts.append(Finding('scaled', text, lost=False))
        if camera.lens is None:
            text = f'no point cloud, but K is used for depth: camera_info: {camera.lens_error}'
            doubts.append(Finding('lens', text))
        return doubts

    def _warn_once(self, finding: Finding) -> None:
        if finding.kind not in self._warned:
            self._warned.add(finding.kind)
            self._warn(finding.text)


def _size_difference(camera: Camera, size: tuple[int, int]) -> str:
    width, height = camera.size
    return f'camera_info is for {width} x {height} px, the image has {size[0]} x {size[1]} px'


def _without_slash(frame_id: str) -> str:
    """Return a frame_id as ROS 2 writes it; drivers made for ROS 1 may add a leading slash."""
    return frame_id.lstrip('/')


def _is_scaled(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether both sides of two sizes have one ratio, up to rounding."""
    return 2 * abs(size[0] * other[1] - size[1] * other[0]) <= max(*size, *other)
