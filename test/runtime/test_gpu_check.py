"""`flashdepth gpu-check`: its rehearsal on a CPU runs every step."""

import json

import pytest

from flashdepth_ros.cli import main
from flashdepth_ros.runtime.gpu_check import checks, command


def rows(printed):
    found = {}
    for line in printed.splitlines():
        row = json.loads(line)
        found.setdefault(row.pop('step'), []).append(row)
    return found


def test_rehearsal_runs_every_step(tmp_path, capfd):
    # Not the node, which has a benchmark with a test of its own.
    steps = [name for name in command.STEPS if name != 'node']
    file = tmp_path / 'results.jsonl'
    assert main(['gpu-check', '--device', 'cpu', '--step', *steps, '-o', str(file)]) == 0
    found = rows(file.read_text())
    assert list(found) == steps
    assert not [row for each in found.values() for row in each if 'error' in row and 'ok' in row]
    judged = {name for name, each in found.items() if any('ok' in row for row in each)}
    assert judged == set(steps) & {*vars(checks), 'full_memory', 'products', 'options'}
    assert all(row['rehearsal'] for each in found.values() for row in each)
    assert found['full'][0]['fps'] > 0
    assert found['live'][0]['median_ms'] > 0
    assert found['kernels'][0]['us'] > 0
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith('{')]
    assert rows('\n'.join(lines)).keys() == found.keys()


def test_a_step_that_fails_is_a_row_and_the_exit_status(monkeypatch, capfd):
    def fail(_):
        yield {'ok': True}
        raise RuntimeError('out of memory')

    monkeypatch.setitem(command.STEPS, 'sizes', (1.0, fail))
    assert main(['gpu-check', '--device', 'cpu', '--step', 'sizes', 'resizing']) == 1
    found = rows(capfd.readouterr().out)
    assert found['sizes'][0] == {'rehearsal': True, 'ok': True}
    assert 'out of memory' in found['sizes'][1]['error']
    assert all(row['ok'] for row in found['resizing'] if 'ok' in row)


def test_an_unknown_step_is_refused(capsys):
    assert main(['gpu-check', '--device', 'cpu', '--step', 'everything']) == 1
    assert 'one of machine, full' in capsys.readouterr().err


@pytest.mark.parametrize('budget', ['0', '30'])
def test_steps_that_may_not_end_in_time_are_skipped_on_a_gpu(monkeypatch, capfd, budget):
    class Gpu(command.Bench):
        rehearsal = False

        def free(self):
            pass

    monkeypatch.setattr(command, 'Bench', Gpu)
    monkeypatch.setitem(command.STEPS, 'threads', (20.0, lambda _: iter([{'ok': True}])))
    options = ['--budget', budget, '--step', 'models', 'threads']
    assert main(['gpu-check', '--device', 'cpu', *options]) == 0
    found = rows(capfd.readouterr().out)
    assert 'skipped' in found['models'][0]
    assert ('skipped' in found['threads'][0]) == (budget == '0')
