"""Names of recordings and sets in the report."""

from itertools import permutations
from pathlib import Path

import pytest

from flashdepth_ros.evaluation.names import distinct_names, without_repeats
from support.evaluation_bags import wall_depth, write_bag, write_predictions
from support.evaluation_runs import evaluate, frames, report, visible_text

PATHS = ('/a/x/s', '/b/x/s', '/b/y/s', '/b/y/t', '/s', '/a/x')


@pytest.mark.parametrize('count', [1, 2, 3, 6])
def test_names_are_the_shortest_ends_of_paths_that_differ(count):
    for chosen in list(permutations(PATHS, count))[:60]:
        names = distinct_names(map(Path, chosen))
        assert len(set(names.values())) == count
        for path, name in names.items():
            assert str(path).endswith(name)
            _, _, shorter = name.lstrip('/').partition('/')
            ends = [f'{each}/'.endswith(f'/{shorter}/') for each in chosen]
            assert not shorter or sum(ends) > 1
    assert list(distinct_names(map(Path, PATHS)).values()) == [
        'a/x/s',
        'b/x/s',
        'y/s',
        't',
        '/s',
        'x',
    ]


def test_the_name_of_a_relative_path_is_that_of_its_folder(tmp_path, monkeypatch):
    (tmp_path / 'set').mkdir()
    monkeypatch.chdir(tmp_path / 'set')
    for text in ('.', '../set', '../set/'):
        assert distinct_names([Path(text)]) == {Path(text): 'set'}


def test_a_place_is_taken_once(tmp_path):
    (tmp_path / 'set').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'set')
    paths = [tmp_path / name for name in ('set', 'link', 'other', 'set')]
    assert without_repeats(paths) == [paths[0], paths[2]]


def test_recordings_with_the_same_name_are_told_apart(tmp_path):
    bags = [write_bag(tmp_path / place / 'run') for place in 'ab']
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    assert evaluate(tmp_path / 'out', *bags, '--predictions', predictions) == 0
    assert [each['bag'] for each in report(tmp_path / 'out')['bags']] == ['a/run', 'b/run']
    assert {row['bag'] for row in frames(tmp_path / 'out')} == {'a/run', 'b/run'}
    text = visible_text((tmp_path / 'out' / 'report.html').read_text())
    assert 'b/run , ' in text
