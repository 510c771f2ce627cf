"""Meshes from files: shape, sides, materials and sizes."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.mesh import Mesh, box, join, sheet
from flashdepth_ros.simulation.mesh_files import read_mesh
from flashdepth_ros.simulation.mesh_folder import MeshFolder
from flashdepth_ros.simulation.photographs import ImageFile
from flashdepth_ros.simulation.triangles import faceted, is_closed, volume


def write_obj(path: Path, mesh: Mesh, head: str = '') -> None:
    lines = [head, *(f'v {x} {y} {z}' for x, y, z in mesh.vertices)]
    lines += [f'vt {u} {v}' for u, v in mesh.uv]
    lines += ['f ' + ' '.join(f'{i + 1}/{i + 1}' for i in face) for face in mesh.faces]
    path.write_text('\n'.join(lines))


def write_stl(path: Path, mesh: Mesh) -> None:
    corners = mesh.vertices[mesh.faces].astype('<f4')
    record = np.zeros(
        len(corners), [('normal', '<f4', 3), ('corners', '<f4', (3, 3)), ('n', 'u2')]
    )
    record['corners'] = corners
    path.write_bytes(bytes(80) + len(corners).to_bytes(4, 'little') + record.tobytes())


def welded(mesh: Mesh) -> Mesh:
    """Return the mesh with shared corners, as a modelling program writes it."""
    points, index = np.unique(mesh.vertices, axis=0, return_inverse=True)
    return Mesh(points, points, points[:, :2], index.reshape(-1)[mesh.faces].astype(np.int32))


def corners_of(parts) -> np.ndarray:
    mesh = join([mesh for _, mesh in parts])
    return mesh.vertices[mesh.faces]


@pytest.mark.parametrize('write', [write_obj, write_stl], ids=['obj', 'stl'])
@pytest.mark.parametrize('inverted', [False, True])
def test_a_closed_mesh_comes_back_with_its_front_outside(tmp_path, write, inverted) -> None:
    path = tmp_path / f'box.{write.__name__[-3:]}'
    mesh = welded(box((1.0, 2.0, 3.0)))
    write(path, replace(mesh, faces=mesh.faces[:, ::-1]) if inverted else mesh)
    corners = corners_of(read_mesh(path))
    assert len(corners) == 12
    assert volume(corners) == pytest.approx(6.0)
    (_, read), *_ = read_mesh(path)
    outward = (read.normals * read.vertices).sum(axis=1)
    assert (outward > 0).all()


def test_an_open_mesh_gets_two_sides(tmp_path) -> None:
    write_obj(tmp_path / 'open.obj', sheet((0, 0, 0), (2, 0, 0), (0, 1, 0)))
    ((_, mesh),) = read_mesh(tmp_path / 'open.obj')
    assert len(mesh.faces) == 4
    np.testing.assert_allclose(np.sort(mesh.normals[:, 2]), [-1] * 6 + [1] * 6)


def test_materials_have_the_colour_or_the_image_of_the_file(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / 'paint.png'), np.full((4, 4, 3), 90, np.uint8))
    (tmp_path / 'a.mtl').write_text(
        'newmtl red\nKd 1 0.25 0\nnewmtl painted\nKd 1 1 1\nmap_Kd paint.png\n'
    )
    body = 'v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nmtllib a.mtl\n'
    (tmp_path / 'a.obj').write_text(
        body + 'usemtl red\nf 1 2 3 4\nusemtl painted\nf -4/1 -3/2 -2/3\nusemtl lost\nf 1 3 4\n'
    )
    (red, red_mesh), (painted, painted_mesh), (lost, _) = read_mesh(tmp_path / 'a.obj')
    assert red.tint == (1.0, 0.25, 0.0)
    assert len(red_mesh.faces) == 4
    assert painted.image == ImageFile(tmp_path / 'paint.png')
    assert (painted.image.pixels() == 90).all()
    assert {tuple(row) for row in painted_mesh.uv} == {(0, 0), (1, 0), (1, 1)}
    assert lost.image is None


CORNERS = 'v 0 0 0\nv {0} 0 0\nv {1} {0} 0\nf 1 2 3'


@pytest.mark.parametrize(
    'content',
    [
        *('f 1 2 3', 'v 0 0\nv 1', 'v 0 0 zero', ''),
        *(CORNERS.format(size, 0) for size in ('nan', 'inf', '1e200', '1e-30', '0')),
        'v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3',
        'v 0 0 0\nv 1 0 0\nf 1 2 2',
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, content) -> None:
    (tmp_path / 'bad.obj').write_text(content)
    with pytest.raises(SimulationError, match=r'bad\.obj'):
        read_mesh(tmp_path / 'bad.obj')


def test_closed_means_that_every_edge_has_its_reverse() -> None:
    triangles = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    assert is_closed(triangles)
    assert not is_closed(triangles[:3])
    assert not is_closed(np.concatenate([triangles[:3], triangles[3:, ::-1]]))


def test_faceted_meshes_have_the_normals_of_their_triangles() -> None:
    mesh = faceted(box((1.0, 2.0, 3.0)).tilted(0.3))
    corners = mesh.vertices[mesh.faces]
    across = np.einsum('fij,fj->fi', np.diff(corners, axis=1), mesh.normals[mesh.faces[:, 0]])
    assert np.abs(across).max() < 1e-9


def test_listed_files_have_their_size_and_stand_upright(tmp_path) -> None:
    write_obj(tmp_path / 'chair.obj', welded(box((40.0, 90.0, 50.0), (7, 8, 9))))
    (tmp_path / 'sizes.csv').write_text(
        'file,width_m,depth_m,height_m,up\nchair.obj,0.4,0.5,0.9,y\n'
    )
    item = MeshFolder(tmp_path).draw(np.random.default_rng(0), 0.1, 2.0)
    points = corners_of(item.parts).reshape(-1, 3)
    np.testing.assert_allclose(points.min(axis=0), (-0.2, -0.25, 0.0), atol=1e-9)
    np.testing.assert_allclose(points.max(axis=0), (0.2, 0.25, 0.9), atol=1e-9)
    assert (item.length, item.width) == pytest.approx((0.4, 0.5))
    assert volume(corners_of(item.parts)) > 0


@pytest.mark.parametrize('edge', [0.2, 1.5, 400.0, 1e-4])
def test_other_files_get_a_plausible_size(tmp_path, edge) -> None:
    write_stl(tmp_path / 'cube.stl', box((edge, edge, edge)))
    folder = MeshFolder(tmp_path)
    for seed in range(20):
        item = folder.draw(np.random.default_rng(seed), 0.05, 1.0)
        expected = min(edge, 1.0) if 0.02 < edge < 3 else pytest.approx(0.5, abs=0.5)
        assert (
            item.length == pytest.approx(expected) if 0.02 < edge < 3 else 0.04 < item.length < 1
        )
        assert corners_of(item.parts)[..., 2].min() == pytest.approx(0.0, abs=1e-6)


def test_a_sample_is_a_part_of_the_folder(tmp_path) -> None:
    for index in range(9):
        write_stl(tmp_path / f'{index}.stl', box((0.1, 0.1, 0.1)))
    folder = MeshFolder(tmp_path)
    first, second, again = (folder.sample(np.random.default_rng(s), 4) for s in (1, 2, 1))
    assert len(first.others) == 4
    assert set(first.others) < set(folder.others)
    assert first.others == again.others != second.others
    assert not MeshFolder()


def test_folders_without_meshes_and_wrong_lists_are_refused(tmp_path) -> None:
    with pytest.raises(SimulationError, match='no meshes'):
        MeshFolder(tmp_path)
    write_stl(tmp_path / 'a.stl', box((1, 1, 1)))
    (tmp_path / 'sizes.csv').write_text('file,size\na.stl,2\n')
    with pytest.raises(SimulationError, match='columns file, width_m'):
        MeshFolder(tmp_path)
