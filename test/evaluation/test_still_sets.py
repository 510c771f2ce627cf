"""Which folders and files `flashdepth evaluate-frames` takes, and what it says of the others."""

from dataclasses import replace

import numpy as np
import pytest

from flashdepth_ros import cli
from flashdepth_ros.evaluation import candidates
from flashdepth_ros.network.presets import DEFAULT_MODEL
from support.evaluation_runs import frames, report, visible_text
from support.still_sets import RedReader, write_set, write_still

MODEL = DEFAULT_MODEL


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Evaluate folders with a reader of the red channel as the model; return the report."""
    monkeypatch.setattr(candidates, 'create_estimator', lambda *_: RedReader())
    monkeypatch.setattr(candidates.ModelCandidate, 'facts', lambda *_: {'device_name': 'none'})

    def run(*folders, status=0, output=tmp_path / 'out'):
        words = ['evaluate-frames', *map(str, folders), '-o', str(output), '--overwrite']
        assert cli.main(words) == status
        return report(output)

    return run


def test_sets_with_the_same_name_are_told_apart(tmp_path, read, capsys):
    for place, images in (('a', 1), ('b', 2)):
        write_set(tmp_path / place / 's', images, camera='')
    found = read(tmp_path / 'a' / 's', tmp_path / 'b')
    assert [each['bag'] for each in found['bags']] == ['a/s', 'b/s']
    assert [row['bag'] for row in frames(tmp_path / 'out')] == ['a/s', 'b/s', 'b/s']
    shown = capsys.readouterr()
    assert [line.split()[0] for line in shown.out.splitlines()[2:4]] == ['a/s', 'b/s']
    assert 'b/s: no camera.yaml for 2 of 2 images' in shown.err
    text = visible_text((tmp_path / 'out' / 'report.html').read_text())
    assert 'a/s , image_0, AbsRel' in text


def test_a_set_that_is_given_twice_counts_once(tmp_path, read, monkeypatch):
    monkeypatch.chdir(write_set(tmp_path / 's'))
    found = read('.', tmp_path, tmp_path / 's')
    assert [each['bag'] for each in found['bags']] == ['s']
    assert found['summary'][MODEL]['frames'] == 2


def test_what_is_left_out_is_named_and_counted(tmp_path, read, capsys):
    root = tmp_path / 'sets'
    folder = write_set(root / 'a', images=6)
    for index in range(1, 6):
        (folder / f'image_{index}.depth.npy').unlink()
    (folder / '._image_0.png').write_bytes(b'of a file system')
    for name in ('b', 'c', '.git', 'out'):
        (root / name).mkdir()
    found = read(root, output=root / 'out')
    shown = capsys.readouterr().err
    images = 'no true depth for 5 of 6 images: image_1.png, image_2.png, image_3.png and 2 more'
    folders = f'{root}: 2 of 3 folders without true depth, left out: b, c'
    assert found['warnings'] == [folders, f'a: {images}']
    page = visible_text((root / 'out' / 'report.html').read_text())
    for line in found['warnings']:
        assert shown.count(line) == 1
        assert line in page
    assert found['summary'][MODEL]['frames'] == 1
    assert not found['failures']


def test_suffixes_may_be_in_upper_case(tmp_path, read):
    folder = write_set(tmp_path / 's')
    (folder / 'image_0.png').rename(folder / 'image_0.PNG')
    (folder / 'image_0.depth.npy').rename(folder / 'image_0.DEPTH.NPY')
    found = read(folder)
    assert found['summary'][MODEL]['frames'] == 2


@pytest.mark.parametrize(('copy', 'kind'), [('.jpg', 'image'), ('.depth.png', 'depth file')])
def test_a_name_with_two_images_or_depth_files_is_refused(tmp_path, read, capsys, copy, kind):
    folder = write_set(tmp_path / 's', images=5)
    for index in range(4):
        (folder / f'image_{index}{copy}').write_bytes((folder / f'image_{index}.png').read_bytes())
    found = read(folder, status=1)
    assert found['summary'][MODEL]['frames'] == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert 's: image_0: image_0.' in line
    assert f'expected one {kind} of a name: remove the others' in line
    assert line.endswith('(the same: image_1, image_2, image_3)')


def test_the_terminal_has_every_kind_of_failure_in_few_lines(tmp_path, read, capsys):
    for name in 'abcdef':
        write_set(tmp_path / 'sets' / name, images=1)
        (tmp_path / 'sets' / name / 'camera.yaml').write_text('image_width: wide')
    folder = write_set(tmp_path / 'sets' / 'torn', images=9)
    for index in range(1, 9):
        (folder / f'image_{index}.png').write_bytes(b'nothing')
    found = read(tmp_path / 'sets', status=1)
    written = capsys.readouterr().err.splitlines()
    *lines, last = (line for line in written if line and 'image/s' not in line)
    assert len(lines) == 2
    assert lines[0].startswith('a: image_0: camera.yaml: image_width is "wide"; expected a calib')
    assert lines[0].endswith('(the same: b, c, d and 2 more)')
    assert lines[1].startswith('torn: image_1: image_1.png: cannot be read as an image (the same:')
    assert lines[1].endswith('image_2, image_3, image_4 and 4 more)')
    assert last == (
        'flashdepth evaluate-frames: 7 failures, see above and the report, which has the rest'
    )
    assert len(found['failures']) == 7


def test_nothing_usable_is_an_error(tmp_path, capsys, monkeypatch):
    for name in 'ab':
        folder = write_set(tmp_path / 'sets' / name, images=2)
        for image in folder.glob('*.png'):
            image.unlink() if name == 'a' else image.write_bytes(b'nothing')
    monkeypatch.setattr(candidates, 'create_estimator', lambda *_: RedReader())
    monkeypatch.setattr(candidates.ModelCandidate, 'facts', lambda *_: {})
    words = ['evaluate-frames', str(tmp_path / 'sets'), '-o', str(tmp_path / 'out')]
    assert cli.main(words) == 1
    first, second, last = capsys.readouterr().err.splitlines()
    assert first.startswith('a: image_0.depth.npy: no image; expected one of image_0.png, ')
    assert second.startswith('b: image_0: image_0.png: cannot be read as an image')
    assert last.endswith('nothing could be evaluated: 2 failures, see above')


def test_a_prediction_without_depth_is_named(tmp_path, capsys, monkeypatch):
    class Blind(RedReader):
        def estimate(self, *arguments):
            frame = super().estimate(*arguments)
            return replace(frame, inverse_depth=np.full_like(frame.inverse_depth, np.nan))

    monkeypatch.setattr(candidates, 'create_estimator', lambda *_: Blind())
    monkeypatch.setattr(candidates.ModelCandidate, 'facts', lambda *_: {})
    words = ['evaluate-frames', str(write_set(tmp_path / 's')), '-o', str(tmp_path / 'out')]
    assert cli.main(words) == 1
    assert 'image_0: no predicted depth at any pixel of true depth' in capsys.readouterr().err


def test_predictions_that_no_alignment_fits_are_an_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(candidates, 'create_estimator', lambda *_: RedReader(scale=0.0))
    monkeypatch.setattr(candidates.ModelCandidate, 'facts', lambda *_: {})
    words = ['evaluate-frames', str(write_set(tmp_path / 's')), '-o', str(tmp_path / 'out')]
    assert cli.main([*words, '--model', 'depth-anything-v2-s']) == 1
    assert 'nothing could be evaluated: no frame has a score' in capsys.readouterr().err


def test_the_mean_counts_the_sets_with_scores(tmp_path, read, capsys):
    write_set(tmp_path / 'sets' / 'good')
    write_still(tmp_path / 'sets' / 'bad', 'x', camera='image_width: wide')
    read(tmp_path / 'sets', status=1)
    assert 'mean of 1 set ' in capsys.readouterr().out


def test_the_help_has_the_keys_that_are_accepted(tmp_path, capsys):
    with pytest.raises(SystemExit):
        cli.main(['evaluate-frames', '--help'])
    _, _, text = ' '.join(capsys.readouterr().out.split()).partition('a preset; keys: ')
    keys = text.partition(';')[0].split(', ')
    assert keys == list(candidates.STILL_KEYS)
    folder = write_set(tmp_path / 's')
    for key in candidates.KEYS:
        value = '28' if key.endswith('_side') or key == 'long_side_max' else 'on'
        words = ['evaluate-frames', str(folder), '-o', str(tmp_path / 'out'), '--model']
        assert cli.main([*words, f'{MODEL},{key}={value}', '--depth-max', '0.01']) == 1
        error = capsys.readouterr().err
        assert (f'{key} needs a recording; expected one of weights' in error) == (key not in keys)
        assert 'unknown key' not in error
