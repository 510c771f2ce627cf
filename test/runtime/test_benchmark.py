"""`flashdepth bench`: what it counts, and one short run."""

import argparse
import json

import pytest
import torch

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import create_model
from flashdepth_ros.runtime import benchmark
from flashdepth_ros.runtime.work import count_flops

PRESET = 'flashdepth-tiny-s'


def arguments(*words):
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    return parser.parse_args(['--model', PRESET, '--device', 'cpu', *words])


def test_attention_is_counted_as_work():
    model, frame = create_model(PRESET), torch.zeros(1, 1, 3, 98, 140)
    encoder, tokens = model.config.encoder, 7 * 10 + 1
    whole = count_flops(model, frame)
    # Four blocks; queries by keys, and weights by values, two operations each.
    attention = encoder.depth * 4 * tokens**2 * encoder.dim
    linear = encoder.depth * 2 * 12 * encoder.dim**2 * tokens
    patches = 2 * 3 * 14**2 * encoder.dim * (tokens - 1)
    assert count_flops(model.encoder, frame[0]) == attention + linear + patches
    assert whole > attention + linear + patches


def test_a_run_tells_every_figure_and_what_cannot_run(capsys):
    words = ('--engine', 'torch', '--precision', 'fp32', 'int8', '--size', '70x56')
    assert benchmark.run(arguments(*words, '--frames', '3', '--json')) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told['width'], told['height'], told['engine']) == (70, 56, 'torch')
    assert told['precision'] == 'fp32'
    assert told['deviation'] < 1e-6
    assert told['median_ms'] <= told['p95_ms']
    assert told['gflops'] == pytest.approx(told['gflop'] * told['fps'])
    assert told['peak_share'] == pytest.approx(told['gflops'] / told['peak_gflops'])
    assert told['memory_peak_mib'] > 50


def test_a_size_that_is_none_is_refused():
    with pytest.raises(ConfigError, match='such as 644x364'):
        benchmark.run(arguments('--size', 'large'))
