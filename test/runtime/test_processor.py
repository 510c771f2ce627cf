"""The number of cores that a process may use."""

import os

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


def _write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + '\n')
