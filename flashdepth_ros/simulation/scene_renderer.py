"""Render a scene with moving objects: the compiled model, its animation and the renderer."""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.simulation.model import compile_scene
from flashdepth_ros.simulation.renderer import Renderer
from flashdepth_ros.simulation.scene import MovingObject, Scene


class SceneRenderer:
    """Renders a scene at any time from any pose, with up to `width` x `height` samples."""

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        self.scene = scene
        self._model = compile_scene(scene, width, height)
        self._data = mujoco.MjData(self._model)
        mujoco.mj_forward(self._model, self._data)
        self._renderer = Renderer(self._model, self._data)

    def close(self) -> None:
        """Free the memory of the renderer."""
        self._renderer.close()

    def render(
        self, time_s: float, pose: NDArray[np.float64], intrinsics: Intrinsics, sampling: int = 1
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return rgb (H, W, 3) uint8 and depth Z (H, W) float32 in metres at a time."""
        if self.scene.moving_objects:
            self._animate(time_s)
        return self._renderer.render(pose, intrinsics, sampling)

    def render_depth(
        self, time_s: float, pose: NDArray[np.float64], intrinsics: Intrinsics
    ) -> NDArray[np.float32]:
        """Return only the depth, without the cost of shadows."""
        self._renderer.cast_shadows(False)
        _, depth = self.render(time_s, pose, intrinsics)
        self._renderer.cast_shadows(True)
        return depth

    def back_share(
        self, time_s: float, pose: NDArray[np.float64], intrinsics: Intrinsics
    ) -> float:
        """Return the share of pixels that look at a back, from inside an object or a wall."""
        front = self.render_depth(time_s, pose, intrinsics)
        self._renderer.draw_backs(True)
        both = self.render_depth(time_s, pose, intrinsics)
        self._renderer.draw_backs(False)
        return float((both < 0.98 * front).mean())

    def _animate(self, time_s: float) -> None:
        limb = 0
        for index, mover in enumerate(self.scene.moving_objects):
            x, y, yaw = mover.pose_at(time_s)
            self._data.mocap_pos[index] = (x, y, self.scene.ground(x, y))
            self._data.mocap_quat[index] = (math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2))
            angles = _limb_angles(mover, time_s)
            self._data.qpos[limb : limb + len(angles)] = angles
            limb += len(angles)
        mujoco.mj_kinematics(self._model, self._data)


def _limb_angles(mover: MovingObject, time_s: float) -> list[float]:
    return [
        limb.swing * math.sin(2 * math.pi * limb.rate_hz * time_s + limb.phase)
        for limb in mover.limbs
    ]
