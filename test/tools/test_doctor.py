"""`flashdepth doctor`: every FAIL and WARN is provoked, and no check ends the others."""

from collections import namedtuple
import json
import os
from pathlib import Path
import subprocess
import sys

import pytest
from sensor_msgs.msg import Image
import torch

from flashdepth_ros.cli import main
from flashdepth_ros.ros import shared_memory
from flashdepth_ros.ros.environment import PROFILES
from flashdepth_ros.tools.doctor import computer, packages, ros
from flashdepth_ros.tools.doctor.command import check
from support.paths import ROOT

NAMES = {
    *('python', 'processor', 'memory', 'shared memory', 'cache folder', 'log folder', 'clock'),
    *(
        'sockets',
        'torch',
        'openvino',
        'onnxruntime',
        'weights',
        'middleware',
        'ros',
        'transport',
        'discovery',
        'camera',
    ),
}

ALWAYS = {'python', 'clock', 'sockets', 'log folder'}
"""What needs no package."""


def statuses(function, environ=os.environ):
    """Return status and fix of each finding, by name."""
    return {each.name: (each.status, each.fix) for each in function(environ)}


def test_all_checks_are_made_and_printed_as_json(capsys, monkeypatch):
    monkeypatch.setattr(ros, 'DISCOVERY_S', 0.2)
    status = main(['doctor', '--json'])
    found = json.loads(capsys.readouterr().out)
    assert {each['name'] for each in found} >= NAMES
    assert status == any(each['status'] == 'FAIL' for each in found)
    for each in found:
        assert each['status'] in ('OK', 'WARN', 'FAIL')
        assert bool(each['fix']) == (each['status'] != 'OK')


@pytest.mark.parametrize(
    'package', ['rclpy', 'torch', 'numpy', 'openvino', 'onnxruntime', 'safetensors']
)
def test_a_missing_package_is_a_finding(package):
    # In a process of its own: modules that are imported twice would disturb other tests.
    code = (
        f'import sys; sys.modules[{package!r}] = None; from flashdepth_ros.cli import main; '
        "main(['doctor', '--json'])"
    )
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(result.stdout)
    assert {each['name'] for each in found} >= ALWAYS
    assert len(found) >= len(NAMES) - 2
    if package in ('torch', 'openvino', 'onnxruntime'):
        (finding,) = (each for each in found if each['name'] == package)
        assert package in finding['fix']
        assert finding['status'] != 'OK'
    else:
        text = f'cannot import the Python package {package!r}'
        assert any(text in each['fix'] for each in found if each['status'] == 'FAIL')


@pytest.mark.parametrize(
    'error', [RuntimeError('broken'), OSError(5, 'broken'), KeyError('broken')]
)
def test_a_check_that_raises_is_a_finding(monkeypatch, error):
    def broken(_):
        raise error

    monkeypatch.setattr(computer, 'clock', broken)
    monkeypatch.setattr(ros, 'DISCOVERY_S', 0.2)
    found = {each.name: each for each in check(os.environ)}
    assert found['clock'].status == 'FAIL'
    assert 'broken' in found['clock'].fix
    assert 'camera' in found


def test_transport_that_loses_images(monkeypatch):
    for name in PROFILES:
        monkeypatch.delenv(name, raising=False)
    for value, reach, status in (
        ('', 'SUBNET', 'FAIL'),
        ('UDPv4', 'SUBNET', 'FAIL'),
        ('LARGE_DATA', 'SUBNET', 'OK'),
        ('LARGE_DATA', 'LOCALHOST', 'FAIL'),
    ):
        monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', value)
        monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', reach)
        found, fix = statuses(ros.transport)['transport']
        assert found == status
        needs_profile = reach == 'LOCALHOST'
        assert ('FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA' in fix) == (
            status == 'FAIL' and not needs_profile
        )
        assert ('config/fastdds.xml' in fix) == needs_profile
        if needs_profile:
            assert Path(fix.rpartition('=')[2]).is_file()


@pytest.mark.parametrize(
    ('installed', 'value'),
    [
        (('openvino',), 'not installed; openvino runs exported models (.onnx) without it'),
        (
            ('openvino', 'onnxruntime'),
            'not installed; onnxruntime and openvino run exported models (.onnx) without it',
        ),
        ((), 'not installed'),
    ],
)
def test_what_works_without_pytorch_is_told(monkeypatch, installed, value):
    monkeypatch.setitem(sys.modules, 'torch', None)
    monkeypatch.setattr(packages, 'find_spec', lambda name: name if name in installed else None)
    (finding,) = packages.torch({})
    assert finding.value == value
    assert 'pip install' in finding.fix
    (finding,) = packages.weights({})
    assert 'flashdepth models check FILE.onnx' in finding.fix


def test_discovery_that_is_off():
    off = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF'}
    assert statuses(ros.discovery, off)['discovery'][0] == 'FAIL'
    assert statuses(ros.discovery, {})['discovery'][0] == 'OK'
    (finding,) = ros.discovery({'ROS_DOMAIN_ID': '7', 'ROS_LOCALHOST_ONLY': '1'})
    assert finding.value == 'domain 7, range LOCALHOST (ROS_LOCALHOST_ONLY)'


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('ROS_DOMAIN_ID', '500'),
        ('ROS_DOMAIN_ID', '-1'),
        ('ROS_DOMAIN_ID', 'abc'),
        ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'FOO'),
    ],
)
def test_discovery_with_wrong_values(name, value):
    status, fix = statuses(ros.discovery, {name: value})['discovery']
    assert status == 'FAIL'
    assert f'set {name} to' in fix
    assert statuses(ros.camera, {name: value})['camera'] == ('WARN', 'first mend discovery')


def test_middleware_that_ends_the_process(monkeypatch, capsys):
    monkeypatch.setenv('RMW_IMPLEMENTATION', 'nonsense')
    assert main(['doctor', '--json']) == 1
    found = {each['name']: each for each in json.loads(capsys.readouterr().out)}
    assert found['middleware']['status'] == found['ros']['status'] == 'FAIL'
    assert 'nonsense' in found['middleware']['value']
    assert 'unset RMW_IMPLEMENTATION' in found['middleware']['fix']


def test_shared_memory_of_others_and_of_killed_processes(monkeypatch):
    monkeypatch.setattr(ros, 'foreign_users', lambda: ['user nobody'])
    monkeypatch.setattr(ros, 'abandoned_bytes', lambda: 70_000_000)
    found = list(ros.shared_memory({}))
    assert [each.status for each in found] == ['WARN', 'WARN']
    assert 'user nobody' in found[0].value
    assert '70 MB' in found[1].value


def test_leftovers_are_counted(tmp_path):
    (tmp_path / 'fastrtps_0123456789abcdef').write_bytes(bytes(1000))
    lock = tmp_path / 'fastrtps_0123456789abcdef_el'
    lock.touch()
    assert shared_memory.abandoned_bytes(tmp_path) == 0
    os.utime(lock, (0, 0))
    assert shared_memory.abandoned_bytes(tmp_path) == 1000


def test_cameras_are_listed_with_type_and_reliability(graph, monkeypatch):
    monkeypatch.setattr(ros, 'DISCOVERY_S', 0.2)
    assert statuses(ros.camera)['camera'][0] == 'WARN'
    monkeypatch.setattr(ros, 'DISCOVERY_S', 2.0)
    graph.node('driver').create_publisher(Image, '/front/image_raw', 5)
    values = [each.value for each in ros.camera(os.environ)]
    assert values == ['/front/image_raw (sensor_msgs/msg/Image, reliable)']


def test_folders_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / 'file').touch()
    below = tmp_path / 'file' / 'below'
    monkeypatch.setenv('XDG_CACHE_HOME', str(below))
    found = statuses(computer.folders, {'ROS_LOG_DIR': str(below)})
    assert found['cache folder'][0] == 'WARN'
    assert 'XDG_CACHE_HOME' in found['cache folder'][1]
    assert found['log folder'][0] == 'FAIL'
    assert 'ROS_LOG_DIR' in found['log folder'][1]
    for variable in ('ROS_LOG_DIR', 'ROS_HOME'):
        new = {variable: str(tmp_path / 'new')}
        assert statuses(computer.folders, new)['log folder'][0] == 'OK'
    assert not (tmp_path / 'new').exists()


def test_limits_of_the_computer(monkeypatch, tmp_path):
    little = tmp_path / 'meminfo'
    little.write_text('MemTotal: 2000000 kB\nMemAvailable: 500000 kB\n')
    monkeypatch.setattr(computer, '_MEMORY', little)
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(computer.shutil, 'disk_usage', lambda _: usage(64e6, 34e6, 30e6))
    found = statuses(computer.memory)
    assert found['memory'][0] == 'WARN'
    assert found['shared memory'][0] == 'WARN'
    assert '--shm-size' in found['shared memory'][1]
    (tmp_path / 'rmem_max').write_text('212992\n')
    monkeypatch.setattr(computer, '_SOCKET_LIMIT', tmp_path / 'rmem_max')
    assert statuses(computer.sockets)['sockets'][0] == 'WARN'
    monkeypatch.setattr(computer.time, 'time', lambda: 100.0)
    assert statuses(computer.clock)['clock'][0] == 'WARN'
    monkeypatch.setattr(computer, 'NEWEST_PYTHON', (3, 9))
    assert statuses(computer.interpreter)['python'][0] == 'WARN'
    monkeypatch.setattr('flashdepth_ros.runtime.engines.processor.usable_cores', lambda: 1)
    monkeypatch.setattr(computer.os, 'cpu_count', lambda: 8)
    (finding,) = computer.processor({})
    assert finding.value.startswith('1 of 8 cores')


@pytest.mark.parametrize(
    ('capability', 'built', 'has_code'),
    [
        ((8, 7), ['sm_80', 'sm_90'], True),
        ((8, 7), ['sm_50', 'sm_90'], False),
        ((8, 0), ['sm_86'], False),
        ((12, 0), ['sm_90', 'compute_90'], True),
        ((12, 0), ['sm_90a'], False),
        ((9, 0), [], False),
    ],
)
def test_gpu_architectures_of_the_build(capability, built, has_code):
    problem = packages.missing_architecture(capability, built)
    assert bool(problem) != has_code
    if problem:
        assert f'sm_{capability[0]}{capability[1]}' in problem


def test_gpus_that_pytorch_cannot_use(monkeypatch):
    monkeypatch.setattr(torch.version, 'cuda', '13.0')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    assert statuses(packages.torch)['torch'][0] == 'WARN'
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda _: 'Orin')
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda _: (8, 7))
    monkeypatch.setattr(torch.cuda, 'get_arch_list', lambda: ['sm_90'])
    found = statuses(packages.torch)
    assert found['torch'][0] == 'OK'
    assert found['gpu'][0] == 'FAIL'


def test_weights_that_do_not_load(monkeypatch, tmp_path):
    path = tmp_path / 'flashdepth-tiny.safetensors'
    path.write_bytes(b'')
    monkeypatch.setattr('flashdepth_ros.runtime.weights.find_weights', lambda _: Path(path))
    assert statuses(packages.weights)['weights'][0] == 'FAIL'
