"""Compile a scene to a MuJoCo model with one mesh per surface of the static objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.mesh import Mesh, join
from flashdepth_ros.simulation.patterns import SIZE
from flashdepth_ros.simulation.scene import Light, Limb, Part, Scene
from flashdepth_ros.simulation.sky import FACE, cube_map
from flashdepth_ros.simulation.surfaces import Surface
from flashdepth_ros.simulation.textures import texture

NEAR_M = 0.05
FAR_M = 1000.0
# The sky box is drawn at 0.3 to 0.7 of the far plane; all objects are nearer than this.
SKY_M = 250.0
SHADOW_REACH_M = 14.0


def compile_scene(scene: Scene, width: int, height: int) -> mujoco.MjModel:
    """
    Return the model of a scene, with an off-screen buffer of `width` x `height` pixels.

    :raises SimulationError: MuJoCo refuses a mesh.
    """
    builder = _Builder(width, height)
    builder.add_sky(scene)
    builder.add_parts(builder.spec.worldbody, scene.parts)
    for light in scene.lights:
        builder.add_light(light)
    for mover in scene.moving_objects:
        body = builder.spec.worldbody.add_body(mocap=True)
        builder.add_parts(body, mover.body.parts)
        for limb in mover.limbs:
            builder.add_limb(body, limb)
    try:
        return builder.spec.compile()
    except ValueError as error:
        reason = ' '.join(str(error).removeprefix('Error: ').split())
        raise SimulationError(f'MuJoCo cannot build the scene: {reason}') from error


class _Builder:
    def __init__(self, width: int, height: int) -> None:
        self.spec = mujoco.MjSpec()
        self._materials: dict[Surface, str] = {}
        self._textures: dict[object, str] = {}
        self._meshes = 0
        visual, statistic = self.spec.visual, self.spec.stat
        statistic.extent = 1.0
        statistic.center = (0.0, 0.0, 0.0)
        visual.map.znear, visual.map.zfar = NEAR_M, FAR_M
        visual.map.shadowclip = SHADOW_REACH_M
        visual.quality.shadowsize = 512 if width <= 512 else 1024
        visual.quality.offsamples = 0
        visual.global_.offwidth, visual.global_.offheight = width, height

    def add_sky(self, scene: Scene) -> None:
        visual = self.spec.visual
        visual.headlight.ambient = scene.ambient
        visual.headlight.diffuse = tuple(0.25 * c for c in scene.ambient)
        visual.headlight.specular = (0.0, 0.0, 0.0)
        sky = self.spec.add_texture(name='sky', type=mujoco.mjtTexture.mjTEXTURE_SKYBOX)
        sky.width, sky.height, sky.nchannel = FACE, 6 * FACE, 3
        sky.data = cube_map(scene.sky).tobytes()

    def add_light(self, light: Light) -> None:
        added = self.spec.worldbody.add_light(pos=light.position, dir=light.direction)
        directional = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
        added.type = directional if light.directional else mujoco.mjtLightType.mjLIGHT_SPOT
        added.diffuse, added.specular = light.colour, tuple(0.5 * c for c in light.colour)
        added.castshadow, added.cutoff = light.shadow, light.cutoff_deg
        added.attenuation, added.exponent = light.attenuation, 0.0

    def add_parts(self, body: Any, parts: Iterable[Part]) -> None:
        groups: dict[Surface, list[Mesh]] = defaultdict(list)
        for surface, mesh in parts:
            groups[surface].append(mesh)
        for surface, meshes in groups.items():
            self._add_mesh(body, surface, join(meshes))

    def add_limb(self, body: Any, limb: Limb) -> None:
        child = body.add_body(pos=limb.pivot)
        child.add_joint(type=mujoco.mjtJoint.mjJNT_HINGE, axis=(0.0, 1.0, 0.0))
        child.mass, child.inertia, child.explicitinertial = 1.0, (1.0, 1.0, 1.0), True
        self.add_parts(child, limb.parts)

    def _add_mesh(self, body: Any, surface: Surface, mesh: Mesh) -> None:
        name = f'm{self._meshes}'
        self._meshes += 1
        added = self.spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
        # Lists: MuJoCo takes twice as long to copy arrays.
        added.uservert = mesh.vertices.astype(np.float32).ravel().tolist()
        added.usernormal = mesh.normals.astype(np.float32).ravel().tolist()
        added.usertexcoord = (mesh.uv / surface.tile_m).astype(np.float32).ravel().tolist()
        added.userface = mesh.faces.ravel().tolist()
        kind = mujoco.mjtGeom.mjGEOM_MESH
        geom = body.add_geom(type=kind, meshname=name, material=self._material(surface))
        geom.contype, geom.conaffinity, geom.mass = 0, 0, 0.0

    def _material(self, surface: Surface) -> str:
        if surface not in self._materials:
            name = f's{len(self._materials)}'
            added = self.spec.add_material(name=name, rgba=(*surface.tint, 1.0))
            added.specular, added.shininess = surface.gloss, 0.2 + 0.6 * surface.gloss
            added.emission = surface.glow
            if surface.family or surface.image:
                added.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = self._texture(surface)
            self._materials[surface] = name
        return self._materials[surface]

    def _texture(self, surface: Surface) -> str:
        key = surface.image or (surface.family, surface.variant)
        if key not in self._textures:
            image = surface.image.pixels() if surface.image else _painted(surface)
            name = self._textures[key] = f't{len(self._textures)}'
            added = self.spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D)
            added.width, added.height, added.nchannel = SIZE, SIZE, 3
            added.data = image.tobytes()
        return self._textures[key]


def _painted(surface: Surface) -> NDArray[np.uint8]:
    return texture(surface.family, surface.variant)
