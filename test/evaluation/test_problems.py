"""Lines about problems of many files or sets."""

from flashdepth_ros.errors import NAMED, listed
from flashdepth_ros.evaluation.problems import KINDS, Problem, lines_of


def test_every_problem_is_counted_and_the_lines_are_few():
    for kinds, each in ((1, 1), (2, 9), (KINDS, 2), (KINDS + 5, 30)):
        problems = [Problem(f'{k}_{n}', f'bad {k}') for n in range(each) for k in range(kinds)]
        lines = lines_of(problems)
        assert len(lines) == min(kinds, KINDS + 1)
        assert all(len(line) < 99 for line in lines)
        for kind in range(min(kinds, KINDS)):
            assert lines[kind].startswith(f'{kind}_0: bad {kind}')


def test_problems_of_a_kind_share_a_line():
    alike = [Problem(name, f'{name}.png is torn', 'torn') for name in 'abcdefg']
    assert lines_of([alike[0]]) == ['a: a.png is torn']
    assert lines_of([*alike, Problem('z', 'lost')]) == [
        'a: a.png is torn (the same: b, c, d and 3 more)',
        'z: lost',
    ]
    assert listed('ab') == 'a, b'
    assert listed('x' * (NAMED + 1)) == 'x, x, x and 1 more'
