import subprocess
import sys

import pytest
import torch

from flashdepth_ros.cli import COMMANDS, main
from flashdepth_ros.network import PRESETS
from support import golden_models

STUDENT = 'flashdepth-tiny-s'


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / 'run.pth'
    entries = golden_models.golden_model(STUDENT).state_dict()
    torch.save({'model': entries, 'optimizer': {'momentum': torch.zeros(1000)}}, path)
    return path


def test_help_lists_every_command_without_importing_them():
    code = (
        'import sys\nfrom flashdepth_ros.cli import main\n'
        'try:\n    main(["--help"])\nexcept SystemExit as end:\n'
        '    sys.exit(end.code or bool({"torch", "numpy", "rclpy"} & set(sys.modules)))\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize('name', COMMANDS)
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, '--help'])
    assert end.value.code == 0
    assert f'flashdepth {name}' in capsys.readouterr().out


def test_models_list_shows_every_preset_with_its_license(capsys):
    assert main(['models', 'list']) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(' ')]
    assert [line.split()[0] for line in lines] == list(PRESETS)
    licensed = {line.split()[0] for line in lines if 'CC-BY-NC-4.0' in line}
    assert 'flashdepth-l' in licensed
    assert 'flashdepth-s' not in licensed


def test_models_list_shows_the_purpose_of_the_shipped_model(capsys):
    main(['models', 'list'])
    lines = capsys.readouterr().out.splitlines()
    index = next(i for i, line in enumerate(lines) if line.startswith('flashdepth-tiny '))
    purpose = PRESETS['flashdepth-tiny'].purpose
    assert purpose
    assert lines[index + 1] == f'    {purpose}'


def test_models_convert_and_check(checkpoint, tmp_path, capsys):
    out = tmp_path / 'weights.safetensors'
    assert main(['models', 'convert', str(checkpoint), str(out)]) == 0
    assert main(['models', 'check', str(out)]) == 0
    text = capsys.readouterr().out
    for words in (f'fits {STUDENT}', 'origin: run.pth', 'license: Apache-2.0', 'in fp16'):
        assert words in text


def test_models_convert_and_export_replace_a_file_only_on_demand(checkpoint, tmp_path, capsys):
    out, graph = tmp_path / 'weights.safetensors', tmp_path / 'tiny.onnx'
    out.write_text('another')
    graph.write_text('another')
    convert = ['models', 'convert', str(checkpoint), str(out)]
    for command in (convert, ['export', STUDENT, '-o', str(graph), '--size', '56x42']):
        assert main(command) == 1
        expected = 'already exists; give another name, or use --overwrite'
        assert expected in capsys.readouterr().err
    assert out.read_text() == graph.read_text() == 'another'
    assert main([*convert, '--overwrite']) == 0
    assert out.stat().st_size > 10**6


def test_error_prints_one_line_and_exits_with_status_1(tmp_path, capsys):
    assert main(['models', 'check', str(tmp_path / 'absent.pth')]) == 1
    error = capsys.readouterr().err
    assert error.startswith('flashdepth models: ')
    assert error.count('\n') == 1
    assert 'no such file' in error
