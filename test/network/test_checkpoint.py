from contextlib import suppress
import json
from pathlib import Path
import pickle
import subprocess
import sys

import numpy as np
import pytest
from safetensors.torch import save_file
import torch

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import PRESETS, VideoDepthAnything, create_model, load_weights
from flashdepth_ros.network.checkpoint import convert, metadata, read_weights, save_weights
from flashdepth_ros.network.config import LEVELS
from flashdepth_ros.network.names import HEAD, VIDEO_HEAD, from_released, to_released
from support import golden_models
from support.full_disk import file_size_limit

STUDENT = 'flashdepth-tiny-s'


@pytest.fixture(scope='module')
def entries():
    return dict(golden_models.golden_model(STUDENT).state_dict())


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_names_translate_both_ways():
    for preset in PRESETS:
        with torch.device('meta'):
            model = create_model(preset)
        names, fusion = list(model.state_dict()), model.config.fusion
        level = fusion.level if fusion else LEVELS[0]
        head = VIDEO_HEAD if isinstance(model, VideoDepthAnything) else HEAD
        released = [to_released(name, head) for name in names]
        assert [from_released(name, level) for name in released] == names
        assert not set(released) & set(names)


RELEASED = {
    's': 'flashdepth-s',
    'l': 'flashdepth-l',
    'full': 'flashdepth-full',
    'vda_s': 'video-depth-anything-s',
}


@pytest.mark.parametrize('keys', RELEASED)
def test_every_released_name_translates_or_is_known_as_unused(keys):
    with torch.device('meta'):
        expected = {n: list(e.shape) for n, e in create_model(RELEASED[keys]).state_dict().items()}
    shapes = json.loads((golden_models.DATA / f'{keys}_keys.json').read_text())
    translated = {
        from_released(name): shape for name, shape in shapes.items() if from_released(name)
    }
    assert translated == expected


WRAPS = [
    lambda entries: entries,
    lambda entries: {'model': entries, 'optimizer': {'lr': 1e-4}},
    lambda entries: {'epoch': 3, 'state_dict': entries},
]
# As torch.compile and data parallelism rename the whole model, or a part of it.
RENAMES = [
    lambda name: name,
    to_released,
    lambda name: 'module.' + to_released(name),
    lambda name: '_orig_mod.' + name,
    lambda name: 'module._orig_mod.' + name,
    lambda name: name.replace('encoder.', 'encoder._orig_mod.module.', 1),
]


@pytest.mark.parametrize(('rename', 'wrap'), list(zip(RENAMES, 2 * WRAPS, strict=True)))
def test_pth_loads_with_every_naming(entries, tmp_path, wrap, rename):
    path = tmp_path / 'weights.pth'
    torch.save(wrap({rename(name): entry for name, entry in entries.items()}), path)
    model = create_model(STUDENT)
    load_weights(model, path)
    assert equal(model.state_dict(), entries)


def test_convert_strips_the_optimizer_and_keeps_the_origin(entries, tmp_path):
    torch.save({'model': entries, 'optimizer': {'momentum': entries}}, tmp_path / 'run.pth')
    notes = convert(tmp_path / 'run.pth', tmp_path / 'first.safetensors', torch.float32)
    assert notes == {'preset': STUDENT, 'origin': 'run.pth', 'license': 'Apache-2.0'}
    assert equal(read_weights(tmp_path / 'first.safetensors'), entries)
    convert(tmp_path / 'first.safetensors', tmp_path / 'second.safetensors', torch.float16)
    assert metadata(tmp_path / 'second.safetensors') == notes
    sizes = [
        (tmp_path / name).stat().st_size for name in ('first.safetensors', 'second.safetensors')
    ]
    assert sizes[1] < 0.55 * sizes[0]
    model = create_model(STUDENT)
    load_weights(model, str(tmp_path / 'second.safetensors'))
    for name, entry in model.state_dict().items():
        torch.testing.assert_close(entry, entries[name], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ('output', 'model', 'message'),
    [
        ('missing/out.safetensors', '', 'there is no folder'),
        ('out.safetensors', 'flashdepth-giant', "no model 'flashdepth-giant'; one of"),
    ],
)
def test_convert_names_what_is_wrong_with_its_arguments(entries, tmp_path, output, model, message):
    source = tmp_path / 'in.safetensors'
    save_file({name: entry.contiguous() for name, entry in entries.items()}, source)
    with pytest.raises(CheckpointError, match=message):
        convert(source, tmp_path / output, torch.float16, model)


def test_written_weights_have_the_permissions_of_other_files(entries, tmp_path):
    weights, other = tmp_path / 'a.safetensors', tmp_path / 'other'
    save_weights(entries, weights, torch.float16, {})
    other.touch()
    assert weights.stat().st_mode == other.stat().st_mode


def test_missing_unexpected_and_misshapen_entries_are_listed(entries):
    model = create_model(STUDENT)
    before = {name: entry.clone() for name, entry in model.state_dict().items()}
    wrong = dict(entries, other=torch.zeros(1), **{'encoder.norm.bias': torch.zeros(3)})
    del wrong['temporal.output.weight']
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, wrong)
    message = str(caught.value)
    for text in (
        STUDENT,
        '1 entries missing, first temporal.output.weight',
        '1 entries unexpected, first other',
        'encoder.norm.bias (3,) instead of (128,)',
    ):
        assert text in message
    assert equal(model.state_dict(), before)


def test_error_suggests_the_preset_that_fits(entries):
    with pytest.raises(CheckpointError, match=f'It fits preset {STUDENT}: select that model'):
        load_weights(create_model('flashdepth-tiny'), entries)


class Harmful:
    def __reduce__(self):
        return print, ('run by a checkpoint',)


def test_pickle_with_more_than_tensors_is_refused(tmp_path, capsys):
    path = tmp_path / 'harmful.pth'
    torch.save({'model': Harmful()}, path)
    with pytest.raises(CheckpointError, match='more than tensors'):
        load_weights(create_model(STUDENT), path)
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize('name', ['new.pth', 'old.pth', 'new.safetensors'])
def test_any_damage_is_a_checkpoint_error(tmp_path, name):
    path, random = tmp_path / name, np.random.default_rng(0)
    entries = {'first': torch.zeros(3, 3), 'second': torch.ones(2)}
    if path.suffix == '.safetensors':
        save_file(entries, path)
    else:
        torch.save(entries, path, _use_new_zipfile_serialization=name != 'old.pth')
    intact, intact_files = np.frombuffer(path.read_bytes(), np.uint8), 0
    for number in range(150):
        damaged = intact.copy()
        if number % 2:
            damaged = damaged[: random.integers(len(damaged))]
        else:
            damaged[random.integers(len(damaged), size=8)] = random.integers(256, size=8)
        path.write_bytes(damaged.tobytes())
        with suppress(CheckpointError):
            read_weights(path)
            intact_files += 1
    assert intact_files < 75


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('empty.pth', 'is empty'),
        ('folder.pth', 'is a folder'),
        ('text.pth', 'refused, it is damaged'),
        ('page.safetensors', 'not a safetensors file'),
        ('array.pth', 'weights_only=False'),
    ],
)
def test_other_things_than_checkpoints_are_refused(tmp_path, name, message):
    path = tmp_path / name
    if name == 'folder.pth':
        path.mkdir()
    else:
        contents = {'text.pth': b'some text\n', 'page.safetensors': b'<html></html>'}
        contents |= {'empty.pth': b'', 'array.pth': pickle.dumps(np.zeros(3))}
        path.write_bytes(contents[name])
    with pytest.raises(CheckpointError, match=message) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)


def test_weights_that_cannot_be_written_leave_the_previous_file(entries, tmp_path):
    path = tmp_path / 'weights.safetensors'
    save_weights({'small': torch.zeros(1)}, path, torch.float32, {})
    before = path.read_bytes()
    with file_size_limit(100_000), pytest.raises(CheckpointError, match='cannot be written'):
        save_weights(entries, path, torch.float32, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(CheckpointError, match='cannot be written'):
        save_weights(entries, tmp_path / 'none' / 'weights.safetensors', torch.float32, {})


@pytest.mark.parametrize('weights', [None, 3, [torch.zeros(1)]])
def test_what_is_neither_file_nor_state_dict_is_refused(weights):
    expected = f'weights are a {type(weights).__name__}; give the path of a .pth'
    with pytest.raises(CheckpointError, match=expected):
        load_weights(create_model(STUDENT), weights)


@pytest.mark.parametrize('archive', [True, False])
def test_a_file_is_mapped_not_read_whole(tmp_path, archive):
    path = tmp_path / 'run.pth'
    large = {'model': {'w': torch.arange(9.0)}, 'optimizer': torch.zeros(10)}
    torch.save(large, path, _use_new_zipfile_serialization=archive)
    (entry,) = read_weights(path).values()
    assert torch.equal(entry, torch.arange(9.0))
    assert (str(path) in Path('/proc/self/maps').read_text()) == archive


def test_unreadable_files_are_refused(tmp_path):
    garbage = {
        'cut.safetensors': 'not a safetensors',
        'cut.pth': 'damaged',
        'cut.onnx': 'is not supported',
    }
    for name, message in garbage.items():
        (tmp_path / name).write_bytes(b'\x10garbage')
        with pytest.raises(CheckpointError, match=message):
            read_weights(tmp_path / name)
    with pytest.raises(CheckpointError, match='no such file'):
        read_weights(tmp_path / 'absent.pth')
    (tmp_path / 'list.pth').write_bytes(pickle.dumps([1, 2], protocol=2))
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(CheckpointError, match='holds a list'):
        read_weights(tmp_path / 'list.pth')
    torch.save({'epoch': 3}, tmp_path / 'numbers.pth')
    with pytest.raises(CheckpointError, match='not tensors'):
        read_weights(tmp_path / 'numbers.pth')


def test_loading_imports_nothing_for_symbolic_shapes(entries, tmp_path):
    # These modules take 70 MB and a second.
    path = tmp_path / 'weights.safetensors'
    save_file(entries, path)
    code = f"""
import sys
from flashdepth_ros.network import create_model, load_weights
load_weights(create_model({STUDENT!r}), {str(path)!r})
sys.exit('sympy' in sys.modules)
"""
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
