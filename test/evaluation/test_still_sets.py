"""Which folders and files `flashdepth evaluate-frames` takes, and what it says of the others."""

import pytest

from flashdepth_ros import cli
from flashdepth_ros.evaluation import candidates
from support.evaluation_runs import frames, report, visible_text
from support.still_sets import RedReader, write_set

MODEL = 'flashdepth-tiny'


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Evaluate folders with a reader of the red channel as the model; return the report."""
    monkeypatch.setattr(candidates, 'create_estimator', lambda *_: RedReader())
    monkeypatch.setattr(candidates.ModelCandidate, 'facts', lambda *_: {'device_name': 'none'})

    def run(*folders, status=0):
        output = tmp_path / 'out'
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
