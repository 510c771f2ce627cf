import numpy as np
import pytest

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


def winding_agreement(mesh: Mesh) -> np.ndarray:
    """Return for every face with an area the dot product of its winding normal and its normals."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    winding = np.cross(b - a, c - a)
    solid = np.linalg.norm(winding, axis=1) > 1e-9
    normal = mesh.normals[mesh.faces].sum(axis=1)
    return (winding * normal).sum(axis=1)[solid]


@pytest.mark.parametrize('name', SOLIDS)
def test_face_winding_agrees_with_the_normals(name: str) -> None:
    mesh = SOLIDS[name]
    assert (winding_agreement(mesh) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-6)


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def test_solids_have_the_requested_size() -> None:
    assert volume(SOLIDS['box']) == pytest.approx(6.0)
    assert np.ptp(SOLIDS['cylinder'].vertices, axis=0) == pytest.approx([1.0, 1.0, 2.0])
    assert np.ptp(SOLIDS['ellipsoid'].vertices, axis=0) == pytest.approx([2.0, 1.0, 0.5])
    assert volume(join([box((1, 1, 1)), box((1, 1, 1), (5, 0, 0))])) == pytest.approx(2.0)


def test_texture_coordinates_are_metres() -> None:
    for mesh in (SOLIDS['box'], SOLIDS['sheet']):
        a, b = mesh.faces[:, 0], mesh.faces[:, 1]
        length = np.linalg.norm(mesh.vertices[b] - mesh.vertices[a], axis=1)
        np.testing.assert_allclose(np.linalg.norm(mesh.uv[b] - mesh.uv[a], axis=1), length)
