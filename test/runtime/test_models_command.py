"""`flashdepth models` on exported models, and names of files that it does not know."""

import pytest

from flashdepth_ros.cli import main
from support import exported_models

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')


def test_check_tells_what_an_exported_model_is(tmp_path, capsys):
    path = exported_models.simple(tmp_path)
    assert main(['models', 'check', str(path)]) == 0
    first, *notes = capsys.readouterr().out.splitlines()
    width, height = exported_models.SIZE
    assert first.startswith(
        f'{path} is {exported_models.PRESET}, exported for frames of {width}x{height}; loads with '
    )
    assert f'preset: {exported_models.PRESET}' in notes


def test_check_says_why_an_exported_model_was_not_loaded(tmp_path, capsys):
    path = exported_models.simple(tmp_path)
    proto = onnx.load(path)
    known = {each.key: each.value for each in proto.metadata_props}
    onnx.helper.set_model_props(proto, known | {'batch': '2'})
    path.write_bytes(proto.SerializeToString())
    assert main(['models', 'check', str(path)]) == 0
    assert 'not loaded: ' in (text := capsys.readouterr().out)
    assert 'is for 2 streams at a time' in text


def test_check_refuses_a_file_that_is_no_exported_model(tmp_path, capsys):
    path = tmp_path / 'other.onnx'
    path.write_bytes(b'text')
    assert main(['models', 'check', str(path)]) == 1
    error = capsys.readouterr().err
    assert 'not an ONNX file, or damaged' in error
    assert error.count('\n') == 1


@pytest.mark.parametrize('command', [('models', 'check'), ('bench', '--weights')])
def test_a_misspelt_name_is_refused_with_all_suffixes(tmp_path, capsys, command):
    for name in ('tiny.onx', 'tiny', '.'):
        assert main([*command, str(tmp_path / name)]) == 1
        error = capsys.readouterr().err
        assert 'give a .onnx file of `flashdepth export`, or weights as .pth or' in error
        assert error.count('\n') == 1


@pytest.mark.parametrize('name', ['a.onnx', 'b.pth', 'c.safetensors'])
def test_verify_sends_files_to_check(tmp_path, capsys, name):
    assert main(['models', 'verify', str(tmp_path / name)]) == 1
    assert f'use `flashdepth models check {tmp_path / name}`' in capsys.readouterr().err
