"""A scene set up to be filmed: the compiled model, its moving things, and the renderer."""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.simulation.model import compile_scene
from flashdepth_ros.simulation.renderer import Renderer
from flashdepth_ros.simulation.scene import Mover, Scene


class Stage:
    """Films a scene at any time from any pose; pictures up to `width` by `height` rays."""

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        self.scene = scene
        self._model = compile_scene(scene, width, height)
        self._data = mujoco.MjData(self._model)
        mujoco.mj_forward(self._model, self._data)
        self._renderer = Renderer(self._model, self._data)

    def close(self) -> None:
        """Give the renderer's memory back."""
        self._renderer.close()

    def film(
        self, time_s: float, pose: NDArray[np.float64], intrinsics: Intrinsics, sampling: int = 1
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return rgb (H, W, 3) uint8 and depth Z (H, W) float32, metres, at a time."""
        if self.scene.movers:
            self._move(time_s)
        return self._renderer.render(pose, intrinsics, sampling)

    def look(
        self, time_s: float, pose: NDArray[np.float64], intrinsics: Intrinsics
    ) -> NDArray[np.float32]:
        """Return the depth alone, as `film` does, without the cost of shadows."""
        self._renderer.cast_shadows(False)
        _, depth = self.film(time_s, pose, intrinsics)
        self._renderer.cast_shadows(True)
        return depth

    def _move(self, time_s: float) -> None:
        limb = 0
        for index, mover in enumerate(self.scene.movers):
            x, y, yaw = mover.place(time_s)
            self._data.mocap_pos[index] = (x, y, self.scene.ground(x, y))
            self._data.mocap_quat[index] = (math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2))
            swings = _swings(mover, time_s)
            self._data.qpos[limb : limb + len(swings)] = swings
            limb += len(swings)
        mujoco.mj_kinematics(self._model, self._data)


def _swings(mover: Mover, time_s: float) -> list[float]:
    return [
        limb.swing * math.sin(2 * math.pi * limb.rate_hz * time_s + limb.phase)
        for limb in mover.limbs
    ]
