"""`flashdepth bench`: the count of operations, and a short run."""

import argparse
import json
import multiprocessing
from threading import Thread
import time

import pytest
import torch

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import create_model
from flashdepth_ros.runtime import benchmark
from flashdepth_ros.runtime.performance import count_flops, memory_bytes, peak_memory_bytes
from flashdepth_ros.runtime.settings import Settings

PRESET = 'flashdepth-tiny-s'


def arguments(*words):
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    return parser.parse_args(['--model', PRESET, '--device', 'cpu', *words])


def test_count_flops_includes_attention():
    model = create_model(PRESET)
    encoder, tokens = model.config.encoder, 7 * 10 + 1
    whole = count_flops(model, (1, 1, 3, 98, 140))
    # Queries by keys and weights by values, with two operations each.
    attention = encoder.depth * 4 * tokens**2 * encoder.dim
    linear = encoder.depth * 2 * 12 * encoder.dim**2 * tokens
    patches = 2 * 3 * 14**2 * encoder.dim * (tokens - 1)
    assert count_flops(model.encoder, (1, 3, 98, 140)) == attention + linear + patches
    assert whole > attention + linear + patches


@pytest.mark.parametrize('preset', ['flashdepth-tiny', 'video-depth-anything-tiny'])
def test_counting_flops_computes_nothing(preset):
    """Attention alone would take hours at this size, and its maps more memory than there is."""
    model = create_model(preset)
    small, large = (count_flops(model, (1, 1, 3, side, side)) for side in (700, 7000))
    assert small * 10**2 < large < small * 10**4


def test_memory_on_a_gpu_is_what_is_reserved_there(monkeypatch):
    reserved = {0: (1, 2), 1: (3, 4)}
    for index, name in enumerate(('memory_reserved', 'max_memory_reserved')):
        monkeypatch.setattr(
            torch.cuda, name, lambda device, index=index: reserved[device.index][index]
        )
    device = torch.device('cuda', 1)
    assert (memory_bytes(device), peak_memory_bytes(device)) == (3, 4)


def test_run_reports_every_value_and_skips_unavailable_precisions(capsys):
    words = ('--engine', 'torch', '--precision', 'fp32', 'int8', '--size', '70x56')
    assert benchmark.run(arguments(*words, '--frames', '3', '--json')) == 0
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert (result['width'], result['height'], result['engine']) == (70, 56, 'torch')
    assert result['precision'] == 'fp32'
    assert result['deviation'] < 1e-6
    assert result['median_ms'] <= result['p95_ms']
    assert result['gflops'] == pytest.approx(result['gflop'] * result['fps'])
    assert result['peak_share'] == pytest.approx(result['gflops'] / result['peak_gflops'])
    assert result['memory_peak_mib'] > 50


def test_status_is_1_where_nothing_was_measured(capsys):
    words = ('--engine', 'torch', '--precision', 'int8', '--size', '70x56')
    assert benchmark.run(arguments(*words)) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err == "not measured: precision 'int8' requires engine openvino on a CPU\n"


def test_a_measurement_that_dies_is_reported(capsys):
    def kill():
        while not (children := multiprocessing.active_children()):
            time.sleep(0.01)
        children[0].kill()

    Thread(target=kill).start()
    assert benchmark.run(arguments('--engine', 'torch', '--size', '70x56')) == 1
    assert f'{PRESET} at 70x56: its process ended with status -9' in capsys.readouterr().err


def test_default_model_is_that_of_the_node():
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    assert parser.parse_args([]).model == Settings().model


def test_invalid_size_is_rejected():
    with pytest.raises(ConfigError, match='multiples of 14'):
        benchmark.run(arguments('--size', '71x56'))
    with pytest.raises(ConfigError, match='0 frames'):
        benchmark.run(arguments('--frames', '0'))
    with pytest.raises(ConfigError, match='such as 644x364'):
        benchmark.run(arguments('--size', 'large'))
