"""The ground below a camera of known height, as the reference of the scale."""

from __future__ import annotations

from typing import ClassVar

from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.ros.transform_listener import TransformListener
from flashdepth_ros.ros.transport import Transport
from flashdepth_ros.runtime.scale import FrameView, GroundObserver, OnlineScale, ScaleSettings


class HeightSource:
    """Needs no sensor but the camera itself; tf gives the direction of gravity, if it is there."""

    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, scope: CameraScope, transport: Transport, online: OnlineScale) -> None:
        self._online = online
        self._transforms = TransformListener(scope.node, raw=transport.raw)
        self._ground = GroundObserver(self._transforms.buffer)

    def close(self) -> None:
        """Remove the subscriptions."""
        self._transforms.close()

    def refer(self, view: FrameView, settings: ScaleSettings) -> None:
        """Make a reference of the ground in a frame."""
        reference = self._ground.reference(view, settings)
        if reference is not None:
            self._online.refer(reference)

    problem = ''
    """Nothing: without transforms the camera is taken as level."""

    def silence(self, _timeout_s: float) -> str:
        """Return '': every frame is a reference."""
        return ''
