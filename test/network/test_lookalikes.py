"""Weights that fit several presets: what a file's name and metadata say, and what they cannot."""

import logging

import pytest
from safetensors.torch import save_file
import torch

from flashdepth_ros.cli import main
from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import PRESETS, create_model, load_weights
from flashdepth_ros.network.checkpoint import convert, metadata
from flashdepth_ros.network.lookalikes import choose_by_name, same_architecture

V2, INDOOR, OUTDOOR = (
    f'depth-anything-v2-{kind}s' for kind in ('', 'metric-indoor-', 'metric-outdoor-')
)
VIDEO, METRIC_VIDEO = 'video-depth-anything-s', 'metric-video-depth-anything-s'


@pytest.fixture(scope='module')
def entries():
    return create_model(V2).state_dict()


@pytest.mark.parametrize(
    ('file', 'preset', 'expected'),
    [
        ('depth_anything_v2_vits.pth', V2, [V2]),
        ('depth_anything_v2_metric_hypersim_vits.pth', V2, [INDOOR]),
        ('depth_anything_v2_metric_vkitti_vits.pth', V2, [OUTDOOR]),
        ('depth-anything-v2-metric-outdoor-s.safetensors', V2, [OUTDOOR]),
        ('depth_anything_metric.pth', V2, [INDOOR, OUTDOOR]),
        ('mine.pth', V2, [V2, INDOOR, OUTDOOR]),
        ('video_depth_anything_vits.pth', VIDEO, [VIDEO]),
        ('metric_video_depth_anything_vits.pth', VIDEO, [METRIC_VIDEO]),
        ('iter_14001.pth', 'flashdepth-s', ['flashdepth-s']),
    ],
)
def test_published_names_tell_the_preset(tmp_path, file, preset, expected):
    presets = same_architecture(PRESETS[preset])
    assert [each.name for each in choose_by_name(presets, tmp_path / file, {})] == expected


@pytest.mark.parametrize(
    ('file', 'notes', 'warned'),
    [
        ('depth_anything_v2_metric_hypersim_vits.safetensors', None, INDOOR),
        ('mine.safetensors', {'preset': OUTDOOR}, OUTDOOR),
        ('mine.safetensors', {'preset': 'foo'}, 'foo'),
        ('depth_anything_v2_metric_vkitti_indoor.safetensors', None, 'another model'),
        ('mine.safetensors', None, ''),
        ('depth_anything_v2_vits.safetensors', None, ''),
    ],
)
def test_a_contradiction_is_a_warning_with_both_names(
    tmp_path, entries, caplog, file, notes, warned
):
    save_file(entries, tmp_path / file, notes)
    with caplog.at_level(logging.WARNING):
        load_weights(create_model(V2), tmp_path / file)
    assert bool(caplog.records) == bool(warned)
    if warned:
        assert warned in caplog.text
        assert f'loaded as {V2}' in caplog.text


def test_check_says_what_it_cannot_tell(tmp_path, entries, capsys):
    for name in ('mine', 'depth_anything_v2_vits'):
        save_file(entries, tmp_path / f'{name}.safetensors')
        assert main(['models', 'check', str(tmp_path / f'{name}.safetensors')]) == 0
        printed = capsys.readouterr().out
        assert all(preset in printed for preset in (V2, INDOOR, OUTDOOR))
        assert 'do not tell them apart' in printed
        assert ('by its name it is' in printed) == (name != 'mine')


def test_check_and_conversion_name_a_contradiction(tmp_path, entries, capsys, caplog):
    file = tmp_path / 'mine.safetensors'
    save_file(entries, file, {'preset': 'foo'})
    assert main(['models', 'check', str(file)]) == 0
    assert 'by its metadata it is none of these' in capsys.readouterr().out
    convert(file, tmp_path / 'out.safetensors', torch.float16, INDOOR)
    assert 'is marked as foo' in caplog.text


def test_conversion_needs_a_name_where_the_file_has_none(tmp_path, entries):
    source, target = tmp_path / 'mine.safetensors', tmp_path / 'out.safetensors'
    save_file(entries, source)
    with pytest.raises(CheckpointError, match='--model'):
        convert(source, target, torch.float16)
    with pytest.raises(CheckpointError, match=f'not {VIDEO}'):
        convert(source, target, torch.float16, VIDEO)
    assert convert(source, target, torch.float16, INDOOR)['preset'] == INDOOR
    assert metadata(target)['preset'] == INDOOR
