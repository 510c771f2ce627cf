"""The number of cores that a process may use, and how its idle threads wait."""

import os
import re
import subprocess
import sys

import pytest

from flashdepth_ros.runtime.engines.processor import container_cores, usable_cores

UNLIMITED = float('inf')


@pytest.mark.parametrize(
    ('files', 'cores'),
    [
        ({'cpu.max': '150000 100000'}, 1.5),
        ({'cpu.max': 'max 100000'}, UNLIMITED),
        ({'cpu/cpu.cfs_quota_us': '50000', 'cpu/cpu.cfs_period_us': '100000'}, 0.5),
        ({'cpu/cpu.cfs_quota_us': '-1', 'cpu/cpu.cfs_period_us': '100000'}, UNLIMITED),
        ({}, UNLIMITED),
    ],
)
def test_container_quota_limits_the_cores(tmp_path, files, cores):
    _write(tmp_path, files)
    assert container_cores(tmp_path, '') == cores
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ('own', 'files'),
    [
        (
            '0::/system.slice/depth.service',
            {'system.slice/depth.service/cpu.max': '200000 100000'},
        ),
        ('0::/robot/depth.service', {'robot/cpu.max': '200000 100000'}),
        (
            '0::/robot/depth.service',
            {'robot/cpu.max': '200000 100000', 'robot/depth.service/cpu.max': 'max 100000'},
        ),
        (
            '4:memory:/robot\n2:cpu,cpuacct:/robot\n0::/',
            {'cpu/robot/cpu.cfs_quota_us': '200000', 'cpu/robot/cpu.cfs_period_us': '100000'},
        ),
        ('0::/not/visible/here\n2:cpu:/nor/this', {'cpu.max': '200000 100000'}),
    ],
)
def test_quota_of_a_service_or_of_a_group_above_it_limits_the_cores(tmp_path, own, files):
    _write(tmp_path, files)
    assert container_cores(tmp_path, own) == 2


@pytest.mark.parametrize(
    ('value', 'cores'),
    [('1', 1), ('1,2', 1), ('4096', None), ('', None), ('0', None), ('x', None)],
)
def test_omp_num_threads_of_the_user_limits_the_cores(monkeypatch, value, cores):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    all_cores = usable_cores()
    monkeypatch.setenv('OMP_NUM_THREADS', value)
    assert usable_cores() == (cores or all_cores)


@pytest.mark.parametrize(
    ('variables', 'expected'),
    [
        ({}, 'PASSIVE 1000'),
        ({'OMP_WAIT_POLICY': 'ACTIVE'}, 'ACTIVE None'),
        ({'GOMP_SPINCOUNT': '5'}, 'None 5'),
        ({'KMP_BLOCKTIME': '5'}, 'None None'),
    ],
)
def test_idle_threads_sleep_unless_the_user_chooses_otherwise(variables, expected):
    names = '("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")'
    program = f'lambda: print(*map(os.environ.get, {names})) or 0'
    assert _run(program, variables).stdout.strip() == expected


def test_openmp_of_torch_knows_that_threads_sleep():
    ran = _run('lambda: __import__("torch").get_num_threads() < 1', {})
    shown = re.findall(r"GOMP_SPINCOUNT = '(\d+)'", ran.stderr)
    assert ran.returncode == 0
    assert set(shown) <= {'1000'}, ran.stderr


def _run(main, variables):
    """Run a main function, given as Python, as the commands run theirs."""
    program = 'import os, sys; from flashdepth_ros.entry_point import run_process as run; '
    program += f'sys.exit(run("test", {main}))'
    waiting = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME')
    environment = {name: value for name, value in os.environ.items() if name not in waiting}
    environment |= {'OMP_DISPLAY_ENV': 'VERBOSE'} | variables
    command = [sys.executable, '-c', program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + '\n')
