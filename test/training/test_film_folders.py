"""What `flashdepth film` says of its folders of photographs and meshes, and of lost clips."""

import pytest

from flashdepth_ros.cli import main
from flashdepth_ros.errors import SimulationError
from flashdepth_ros.simulation.mesh_search import LARGEST_BYTES
from flashdepth_ros.training import filming
from flashdepth_ros.training.clips import find_clips
from support.film_folders import OBJ, write_meshes, write_photographs

OPTIONS = ('--frames', '1', '--size', '42x28', '--sampling', '1')


@pytest.fixture
def film(tmp_path, capsys):
    """Run `flashdepth film`; return the lines on standard error without the progress."""

    def run(*arguments, status: int = 0) -> list[str]:
        assert main(['film', str(tmp_path / 'clips'), *OPTIONS, *map(str, arguments)]) == status
        written = capsys.readouterr().err.replace('\r', '\n').splitlines()
        return [line for line in written if line.strip() and '%|' not in line]

    return run


@pytest.mark.usefixtures('gl')
def test_each_damaged_file_is_named_once_and_no_clip_is_lost(tmp_path, film):
    textures, objects = (
        write_photographs(tmp_path / 'p', damaged=5),
        write_meshes(tmp_path / 'm', damaged=3),
    )
    (objects / 'painted.obj').write_text(f'mtllib a.mtl\nusemtl a\n{OBJ}')
    (objects / 'a.mtl').write_text('newmtl a\nmap_Kd torn.png\n')
    (objects / 'torn.png').write_bytes(b'nothing')
    options = ('--variety', '1', '--clips-per-scene', '1', '--seeds', '0:6')
    lines = film('--textures', textures, '--meshes', objects, *options)
    assert len(find_clips(tmp_path / 'clips')) == 6
    names = sorted(line.partition(':')[0] for line in lines)
    expected = [*textures.glob('torn*'), *objects.glob('torn*')]
    assert names == sorted(map(str, expected))
    assert all('remove' in line for line in lines)


@pytest.mark.usefixtures('gl')
def test_a_folder_of_damaged_meshes_alone_is_refused(tmp_path, film):
    lines = film('--meshes', write_meshes(tmp_path / 'm', 0, 3), '--variety', '1', status=1)
    assert len(lines) == 4
    assert 'm: no usable meshes; none of its files can be read' in lines[-1]
    lines = film('--textures', write_photographs(tmp_path / 'p', 0, 2), '--variety', '1', status=1)
    assert 'p: none of the 2 photographs can be read' in lines[-1]
    assert not find_clips(tmp_path / 'clips')


def test_meshes_that_are_all_too_large_are_refused(tmp_path, film):
    folder = write_meshes(tmp_path / 'm', 2)
    for path in folder.iterdir():
        path.write_text(OBJ + '\n' * LARGEST_BYTES)
    (line,) = film('--meshes', folder, '--variety', '1', status=1)
    assert 'm: no usable meshes; simplify those larger than 250 kB (people 1200 kB): 0' in line


@pytest.mark.usefixtures('gl')
def test_meshes_that_are_left_out_are_counted(tmp_path, film):
    folder = write_meshes(tmp_path / 'm', 6)
    for index in range(1, 6):
        (folder / f'{index}.obj').write_text(OBJ + '\n' * LARGEST_BYTES)
    head = 'file,width_m,depth_m,height_m,up\n'
    (folder / 'sizes.csv').write_text(f'{head}lost.obj,1,1,1,z\n1.obj,1,1,1,z\n')
    options = ('--seeds', '0:2', '--clips-per-scene', '1', '--variety', '1')
    lines = film('--meshes', folder, *options)
    assert [line.partition(': ')[2] for line in lines] == [
        'listed, but not in the folder: lost.obj',
        'left out, larger than 250 kB (people 1200 kB): 1.obj, 2.obj, 3.obj and 2 more',
    ]


def test_a_size_that_is_no_length_is_named_with_its_line(tmp_path, film):
    folder = write_meshes(tmp_path / 'm')
    (folder / 'sizes.csv').write_text('file,width_m,depth_m,height_m,up\n0.obj,1,0,1,z\n')
    (line,) = film('--meshes', folder, '--variety', '1', status=1)
    assert "sizes.csv: line 2: depth_m is '0'; a number of metres over 0 expected" in line


@pytest.mark.parametrize('options', [['--textures'], ['--meshes'], ['--textures', '--meshes']])
def test_folders_without_variety_are_refused(tmp_path, film, options):
    (line,) = film(*(word for option in options for word in (option, tmp_path)), status=1)
    assert f'{" and ".join(options)} without --variety' in line
    assert not (tmp_path / 'clips').exists()


@pytest.mark.parametrize(('seeds', 'kinds'), [('3:4', 1), ('0:9', 1), ('0:9', 2), ('0:2', 2)])
def test_an_error_of_many_clips_is_written_once_with_a_count(monkeypatch, film, seeds, kinds):
    def fail(seed, _settings):
        raise SimulationError(f'seed {seed}: reason {seed % kinds}')

    monkeypatch.setattr(filming, 'plan_clip', fail)
    monkeypatch.setattr(filming, 'start_gl', lambda: None)
    lines = film('--seeds', seeds, status=1)
    first, last = map(int, seeds.split(':'))
    for kind in range(kinds):
        own = [line for line in lines if f'reason {kind}' in line]
        lost = [seed for seed in range(first, last) if seed % kinds == kind]
        assert own[0] == f'seed {lost[0]}: reason {kind}'
        assert len(own) == min(2, len(lost))
        assert all(line.startswith(f'{len(lost)} clips not rendered, seeds') for line in own[1:])


@pytest.mark.usefixtures('gl')
def test_finished_clips_need_no_folders(tmp_path, film):
    folder = write_meshes(tmp_path / 'm')
    options = ('--meshes', folder, '--variety', '1', '--seeds', '0:1')
    film(*options)
    (folder / '0.obj').unlink()
    assert film(*options) == []
