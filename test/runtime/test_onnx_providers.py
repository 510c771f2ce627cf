"""The execution providers of ONNX Runtime, by what a build has; no build is needed."""

from itertools import chain, combinations
from pathlib import Path

import pytest

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.runtime.engines import onnx_session
from flashdepth_ros.runtime.engines.onnx_providers import (
    CPU,
    CUDA,
    OPENVINO,
    TENSORRT,
    choose_providers,
)

ALL = (TENSORRT, CUDA, OPENVINO, CPU)
CACHE = Path('/cache/tensorrt')
BUILDS = list(chain.from_iterable(combinations(ALL, count) for count in range(1, 5)))


def names(available, device, precision='fp32'):
    return [name for name, _ in choose_providers(available, device, precision, CACHE)]


@pytest.mark.parametrize('available', BUILDS, ids=' '.join)
def test_auto_takes_all_that_are_there_in_one_order(available):
    assert names(available[::-1], 'auto') == list(available)
    unknown = ('OtherExecutionProvider', *available)
    assert names(unknown, 'auto') == list(available)


@pytest.mark.parametrize('available', BUILDS, ids=' '.join)
@pytest.mark.parametrize(
    ('device', 'allowed'),
    [('cpu', {OPENVINO, CPU}), ('cuda:1', {TENSORRT, CUDA}), ('intel_gpu', {OPENVINO})],
)
def test_a_requested_device_is_used_or_refused_and_the_cpu_takes_the_rest(
    available, device, allowed
):
    if not allowed & set(available):
        with pytest.raises(ConfigError, match=f"device '{device}' was requested"):
            names(available, device)
        return
    expected = [name for name in ALL if name in available and name in allowed | {CPU}]
    assert names(available, device) == expected


@pytest.mark.parametrize(('precision', 'fp16'), [('fp16', 'True'), ('fp32', 'False')])
def test_tensorrt_keeps_its_engines_and_has_the_precision_of_the_file(precision, fp16):
    options = dict(choose_providers(ALL, 'cuda:1', precision, CACHE))
    assert options[TENSORRT] == {
        'device_id': '1',
        'trt_fp16_enable': fp16,
        'trt_engine_cache_enable': 'True',
        'trt_engine_cache_path': str(CACHE),
        'trt_timing_cache_enable': 'True',
        'trt_timing_cache_path': str(CACHE),
    }
    assert options[CUDA] == {'device_id': '1'}
    assert options[CPU] == {}


def test_tensorrt_runs_without_a_folder_for_its_engines():
    options = dict(choose_providers(ALL, 'auto', 'fp32', None))
    assert options[TENSORRT] == {'device_id': '0', 'trt_fp16_enable': 'False'}


@pytest.mark.parametrize(
    ('device', 'kind'), [('intel_gpu', 'GPU'), ('cpu', 'CPU'), ('auto', 'CPU')]
)
def test_openvino_is_told_its_device(device, kind):
    options = dict(choose_providers((OPENVINO, CPU), device, 'fp32', None))
    assert options[OPENVINO] == {'device_type': kind}


@pytest.mark.parametrize('device', ['gpu', 'cpu:1', 'cuda:first', ''])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(ConfigError, match=f"unknown device '{device}'"):
        names(ALL, device)


def test_without_a_writable_cache_tensorrt_keeps_nothing(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert onnx_session.tensorrt_folder() == tmp_path / 'flashdepth_ros' / 'tensorrt'
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    assert onnx_session.tensorrt_folder() is None
    (line,) = caplog.messages
    assert 'TensorRT builds its engine at every start' in line
