"""Render colour and depth of a compiled scene in one pass, off-screen."""

from __future__ import annotations

import atexit
from contextlib import suppress
import ctypes.util
from functools import lru_cache
import os
from typing import Any

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.camera.geometry import Intrinsics
from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.model import FAR_M, NEAR_M, SHADOW_REACH_M, SKY_M

_LIBRARIES = {'egl': 'EGL', 'osmesa': 'OSMesa'}


def gl_backend() -> str:
    """
    Return the off-screen OpenGL backend: MUJOCO_GL if set, else 'egl', else 'osmesa'.

    :raises SimulationError: neither library is installed.
    """
    requested = os.environ.get('MUJOCO_GL', '').lower()
    names = (requested,) if requested in _LIBRARIES else tuple(_LIBRARIES)
    for name in names:
        if ctypes.util.find_library(_LIBRARIES[name]):
            return name
    raise SimulationError(
        f'no off-screen OpenGL found (searched for {", ".join(names)}); on Debian or Ubuntu: '
        'apt install libegl1 libgl1-mesa-dri libosmesa6'
    )


def start_gl() -> None:
    """
    Create the GL context of this process. A process forked afterwards cannot render: use spawn.

    :raises SimulationError: off-screen OpenGL is not installed or does not start.
    """
    _gl_context(os.getpid()).make_current()


@lru_cache(maxsize=1)
def _gl_context(process_id: int) -> Any:
    """Create the GL context of the process; a second context in a process would not render."""
    if gl_backend() == 'egl':
        from mujoco.egl import GLContext
    else:
        from mujoco.osmesa import GLContext
    # PyOpenGL makes the symbols of Mesa's LLVM global. Triton, which CUDA builds of PyTorch import
    # in the first optimiser step, has its own LLVM and crashes on them unless it is loaded first.
    with suppress(ImportError):
        import triton  # noqa: F401
    try:
        context = GLContext(64, 64)
        context.make_current()
    except (ImportError, RuntimeError, AttributeError) as error:
        raise SimulationError(
            f'off-screen OpenGL ({gl_backend()}) does not start in process {process_id}: {error}; '
            'set MUJOCO_GL=osmesa, or on Debian or Ubuntu: '
            'apt install libegl1 libgl1-mesa-dri libosmesa6'
        ) from error
    atexit.register(context.free)
    return context


class Renderer:
    """Renders one model; `pose` is camera-to-world, for an optical frame (x right, y down)."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        start_gl()
        self._model, self._data = model, data
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        # Read the buffer as it is stored, reversed (1 near, 0 far): this keeps far depth precise.
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene = mujoco.MjvScene(model, maxgeom=model.ngeom + 16)
        self._option, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()

    def cast_shadows(self, on: bool) -> None:
        """Switch shadows on or off for the following renderings."""
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = on

    def draw_backs(self, on: bool) -> None:
        """Draw the backs of surfaces too, or only their fronts."""
        self._scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = not on

    def close(self) -> None:
        """Free the GL memory."""
        self._context.free()

    def render(
        self, pose: NDArray[np.float64], intrinsics: Intrinsics, sampling: int = 1
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """
        Return rgb (H, W, 3) uint8 and depth Z (H, W) float32 in metres, +Inf for sky.

        Colour is the mean of sampling x sampling samples per pixel; depth never mixes surfaces.
        """
        width, height = intrinsics.width * sampling, intrinsics.height * sampling
        self._update(pose, intrinsics)
        viewport = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(viewport, self._scene, self._context)
        rgb = np.empty((height, width, 3), np.uint8)
        buffer = np.empty((height, width), np.float32)
        mujoco.mjr_readPixels(rgb, buffer, viewport, self._context)
        rgb, buffer = rgb[::-1], buffer[::-1]
        if sampling > 1:
            size = (intrinsics.width, intrinsics.height)
            rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
            buffer = _reduce_depth(buffer, sampling)
        return np.ascontiguousarray(rgb), _metres(buffer)

    def _update(self, pose: NDArray[np.float64], camera: Intrinsics) -> None:
        mujoco.mjv_updateScene(
            self._model, self._data, self._option, None, self._camera,
            mujoco.mjtCatBit.mjCAT_ALL, self._scene,
        )  # fmt: skip
        for view in self._scene.camera:
            view.pos, view.forward, view.up = pose[:3, 3], pose[:3, 2], -pose[:3, 1]
            view.frustum_near, view.frustum_far = NEAR_M, FAR_M
            view.frustum_top = NEAR_M * (camera.cy + 0.5) / camera.fy
            view.frustum_bottom = -NEAR_M * (camera.height - 0.5 - camera.cy) / camera.fy
            view.frustum_center = NEAR_M * ((camera.width - 1) / 2.0 - camera.cx) / camera.fx
            view.frustum_width = NEAR_M * camera.width / 2.0 / camera.fx
        self._center_shadow_map(pose)

    def _center_shadow_map(self, pose: NDArray[np.float64]) -> None:
        """Centre the sun's shadow map, which has a limited size, on the view of the camera."""
        middle = pose[:3, 3] + 0.6 * SHADOW_REACH_M * pose[:3, 2] * (1.0, 1.0, 0.0)
        for light in self._scene.lights[: self._scene.nlight]:
            if light.type == mujoco.mjtLightType.mjLIGHT_DIRECTIONAL and not light.headlight:
                light.pos = middle - 30.0 * light.dir


def _reduce_depth(buffer: NDArray[np.float32], sampling: int) -> NDArray[np.float32]:
    """
    Return one depth per pixel: the mean on one surface, a single sample at an edge.

    The buffer is linear in 1/Z, and 1/Z is linear on a plane: the mean is the value at the centre.
    """
    samples = [buffer[i::sampling, j::sampling] for i in range(sampling) for j in range(sampling)]
    mean = samples[0].copy()
    nearest, farthest = samples[0].copy(), samples[0].copy()
    for sample in samples[1:]:
        mean += sample
        np.maximum(nearest, sample, out=nearest)
        np.minimum(farthest, sample, out=farthest)
    mean *= np.float32(1.0 / len(samples))
    return np.where(nearest < np.float32(1.1) * farthest, mean, samples[len(samples) // 2])


def _metres(buffer: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return Z of the reversed depth buffer, with +Inf for the sky box."""
    inverse = NEAR_M + buffer * np.float32(FAR_M - NEAR_M)
    depth = np.float32(NEAR_M * FAR_M) / inverse
    return np.where(depth > SKY_M, np.float32(np.inf), depth).astype(np.float32)
