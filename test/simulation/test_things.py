import math

import numpy as np
import pytest

from flashdepth_ros.simulation import furniture, street
from flashdepth_ros.simulation.effects import Effects, haze, sweep_px
from flashdepth_ros.simulation.mesh import (
    Mesh,
    box,
    cylinder,
    ellipsoid,
    join,
    rod,
    sheet,
    terrain,
)
from flashdepth_ros.simulation.patterns import noise
from flashdepth_ros.simulation.people import person, walker
from flashdepth_ros.simulation.scene import FreeSpace, Mover, Thing
from flashdepth_ros.simulation.surfaces import TILE_M, Palette
from flashdepth_ros.simulation.textures import FAMILIES, VARIANTS, texture

MAKERS = sorted(
    {*furniture.WALL_SIDE, *furniture.FREE_STANDING, *street.SMALL, *street.LARGE, person},
    key=lambda maker: maker.__name__,
)
SOLIDS = {
    'box': box((1.0, 2.0, 3.0), (0.3, 0.0, 1.0)),
    'cylinder': cylinder(0.5, 2.0),
    'frustum': cylinder(0.5, 2.0, top=0.1),
    'ellipsoid': ellipsoid((1.0, 0.5, 0.25)),
    'rod': rod((0, 0, 0), (1, 2, 3), 0.1),
    'sheet': sheet((0, 0, 0), (2, 0, 0), (0, 0, 1), 0.5),
    'terrain': terrain(np.arange(5.0), np.arange(4.0), np.random.default_rng(0).random((4, 5))),
    'moved': box((1, 1, 1)).moved(1, 2, 3, 0.7).tilted(0.4),
}


def outward(mesh: Mesh) -> np.ndarray:
    """Return per face, of those with an area, how well its winding agrees with its normals."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    winding = np.cross(b - a, c - a)
    solid = np.linalg.norm(winding, axis=1) > 1e-9
    normal = mesh.normals[mesh.faces].sum(axis=1)
    return (winding * normal).sum(axis=1)[solid]


@pytest.mark.parametrize('name', SOLIDS)
def test_faces_wind_the_way_their_normals_point(name: str) -> None:
    mesh = SOLIDS[name]
    assert (outward(mesh) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-6)


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def test_solids_have_the_size_asked_for() -> None:
    assert volume(SOLIDS['box']) == pytest.approx(6.0)
    assert np.ptp(SOLIDS['cylinder'].vertices, axis=0) == pytest.approx([1.0, 1.0, 2.0])
    assert np.ptp(SOLIDS['ellipsoid'].vertices, axis=0) == pytest.approx([2.0, 1.0, 0.5])
    assert volume(join([box((1, 1, 1)), box((1, 1, 1), (5, 0, 0))])) == pytest.approx(2.0)


def test_texture_coordinates_are_metres() -> None:
    for mesh in (SOLIDS['box'], SOLIDS['sheet']):
        a, b = mesh.faces[:, 0], mesh.faces[:, 1]
        length = np.linalg.norm(mesh.vertices[b] - mesh.vertices[a], axis=1)
        np.testing.assert_allclose(np.linalg.norm(mesh.uv[b] - mesh.uv[a], axis=1), length)


@pytest.mark.parametrize('maker', MAKERS, ids=lambda maker: maker.__name__)
def test_things_stand_on_the_ground_within_their_footprint(maker) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        thing: Thing = maker(rng, Palette(rng))
        whole = join([mesh for _, mesh in thing.parts])
        low, high = whole.vertices.min(axis=0), whole.vertices.max(axis=0)
        assert -0.25 < low[2] < 0.06
        assert 0.1 < high[2] < 24.0
        at_knee = whole.vertices[whole.vertices[:, 2] < 0.6]
        if maker in (street.tree, street.bush, street.conifer):
            continue
        assert np.abs(at_knee[:, 0]).max() < thing.length / 2 + 0.16
        assert np.abs(at_knee[:, 1]).max() < thing.width / 2 + 0.16


def test_known_sizes_are_true() -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        palette = Palette(rng)
        heights = {
            maker: max(mesh.vertices[:, 2].max() for _, mesh in maker(rng, palette).parts)
            for maker in (person, furniture.chair, street.car, street.cone)
        }
        assert 1.5 < heights[person] < 1.95
        assert 0.75 < heights[furniture.chair] < 1.05
        assert 1.35 < heights[street.car] < 2.55
        assert round(heights[street.cone], 3) in (0.5, 0.75)


@pytest.mark.parametrize('family', FAMILIES)
def test_textures_are_seamless_and_repeatable(family: str) -> None:
    assert family in TILE_M
    for variant in range(VARIANTS):
        picture = texture(family, variant)
        texture.cache_clear()
        np.testing.assert_array_equal(picture, texture(family, variant))
        assert 20 < picture.mean() < 250
    assert (texture(family, 0) != texture(family, 1)).any()


def test_noise_wraps_around() -> None:
    field = noise(np.random.default_rng(0), 1.5)
    inner = np.abs(np.diff(field, axis=0)).mean()
    assert np.abs(field[0] - field[-1]).mean() < 1.5 * inner
    assert field.std() == pytest.approx(1.0, abs=1e-3)


def test_free_space_knows_the_distance_to_what_is_taken() -> None:
    free = FreeSpace(5.0, 4.0, 0.05)
    assert free.clearance(0.0, 0.0) == pytest.approx(4.0, rel=0.05)
    free.block((2.0, 0.0, 1.0, 1.0, 0.0))
    assert free.clearance(0.0, 0.0) == pytest.approx(1.5, rel=0.06)
    assert free.clearance(2.0, 0.2) == 0.0
    assert free.clearance(99.0, 0.0) == 0.0
    assert not free.fits((2.6, 0.0, 0.4, 0.4, 0.3))
    assert free.fits((-2.6, 0.0, 0.4, 0.4, 0.3))
    free.reserve((-2.6, 0.0, 0.4, 0.4, 0.0))
    assert not free.fits((-2.6, 0.0, 0.4, 0.4, 0.3))
    assert free.clearance(-2.6, 0.0) > 1.0


def test_movers_go_to_and_fro_at_their_speed() -> None:
    rng = np.random.default_rng(0)
    mover = walker(rng, Palette(rng), (0.0, 0.0), (3.0, 4.0))
    assert isinstance(mover, Mover)
    places = np.array([mover.place(t) for t in np.arange(0.0, 20.0, 0.01)])
    steps = np.hypot(*np.diff(places[:, :2], axis=0).T)
    assert np.median(steps) == pytest.approx(0.01 * mover.speed)
    assert steps.max() < 0.0101 * mover.speed
    assert places[:, 0].min() >= -1e-9
    assert places[:, 0].max() <= 3.0 + 1e-9


def test_sweep_follows_the_turn_of_the_camera() -> None:
    turn = np.eye(4)
    angle = 0.02
    turn[:3, :3] = [
        [math.cos(angle), 0, math.sin(angle)],
        [0, 1, 0],
        [-math.sin(angle), 0, math.cos(angle)],
    ]
    dx, dy = sweep_px(np.eye(4), turn, 500.0)
    assert dx == pytest.approx(-10.0, rel=1e-3)
    assert dy == pytest.approx(0.0, abs=1e-9)


def test_effects_are_repeatable_and_differ_between_seeds() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    first, second = (Effects(5, (64, 48)).apply(rgb, (400.0, 100.0)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = Effects(6, (64, 48)).apply(rgb, (400.0, 100.0))
    assert first.shape == rgb.shape
    assert first.dtype == np.uint8
    assert (first != other).any()


def test_exposure_brings_dark_pictures_up() -> None:
    dark = np.full((48, 64, 3), 20, np.uint8)
    camera = Effects(1, (64, 48))
    assert camera.apply(dark, (0.0, 0.0)).mean() > 40


def test_haze_hides_the_far_and_leaves_the_sky() -> None:
    rgb = np.full((1, 3, 3), 50, np.uint8)
    depth = np.array([[1.0, 500.0, np.inf]], np.float32)
    seen = haze(rgb, depth, 0.02, (1.0, 1.0, 1.0))
    assert seen[0, 0, 0] < 60
    assert seen[0, 1, 0] > 250
    assert seen[0, 2, 0] == 50
