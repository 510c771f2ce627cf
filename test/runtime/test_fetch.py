"""`flashdepth models fetch` and `verify`, with a server on this computer."""

import hashlib
import io

import pytest
import torch

from flashdepth_ros.cli import main
from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import PRESETS, create_model
from flashdepth_ros.network.checkpoint import metadata, read_weights
from flashdepth_ros.runtime.weights import SOURCES, Source, cache_folder, find_weights
from support.golden_models import golden_model
from support.http_server import FileServer

NAME = 'flashdepth-tiny-s'


def checkpoint(model):
    """Return the bytes of a training checkpoint: weights and more."""
    file = io.BytesIO()
    torch.save({'model': model.state_dict(), 'optimizer': torch.zeros(10**6)}, file)
    return file.getvalue()


def not_finite(model):
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    return model


@pytest.fixture(scope='module')
def content():
    return checkpoint(golden_model(NAME))


@pytest.fixture
def server(monkeypatch, tmp_path, content):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setitem(SOURCES, NAME, Source('owner/name', 'folder/file.pth'))
    server = FileServer(content, hashlib.sha256(content).hexdigest())
    with server.running() as address:
        monkeypatch.setenv('HF_ENDPOINT', address)
        yield server


def test_fetched_weights_are_small_and_found_by_name(server, content, capsys):
    assert main(['models', 'fetch', NAME]) == 0
    printed = capsys.readouterr()
    assert 'MB, license Apache-2.0, Hugging Face, owner/name: folder/file.pth' in printed.err
    path = find_weights(PRESETS[NAME])
    assert [path] == list(cache_folder().iterdir())
    assert str(path) in printed.out
    assert path.stat().st_size < len(content) / 2
    assert metadata(path)['origin'].endswith('/owner/name/resolve/main/folder/file.pth')
    expected = golden_model(NAME).state_dict()
    for name, entry in read_weights(path).items():
        torch.testing.assert_close(entry.float(), expected[name], rtol=1e-3, atol=1e-6)


def test_weights_that_are_there_are_fetched_again_only_on_demand(server, capsys):
    assert main(['models', 'fetch', NAME]) == 0
    server.ranges = []
    assert main(['models', 'fetch', NAME]) == 0
    assert 'already there' in capsys.readouterr().err
    assert server.ranges == []
    assert main(['models', 'fetch', NAME, '--overwrite', '--dtype', 'fp32']) == 0
    assert server.ranges
    entries = read_weights(find_weights(PRESETS[NAME]))
    assert {entry.dtype for entry in entries.values()} == {torch.float32}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['flashdepth-s', 'flashdepth-l'], 'flashdepth-l: license CC-BY-NC-4.0 '),
        (['flashdepth-tiny'], 'no published weights'),
        (['flashdepth-xl'], 'no such model'),
    ],
)
def test_nothing_is_fetched_if_one_name_cannot_be(server, capsys, arguments, message):
    assert main(['models', 'fetch', *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert server.ranges == []


@pytest.mark.parametrize(
    'damage', ['other model', 'no checkpoint', 'not finite', 'wrong hash', 'gone']
)
def test_what_is_not_the_model_is_never_used(server, capsys, damage):
    if damage == 'other model':
        server.content = checkpoint(create_model('flashdepth-tiny'))
    elif damage == 'no checkpoint':
        server.content = b'<html>' * 1000
    elif damage == 'not finite':
        server.content = checkpoint(not_finite(golden_model(NAME)))
    elif damage == 'gone':
        server.faults = ['status 404']
    if damage != 'wrong hash':
        server.sha256 = hashlib.sha256(server.content).hexdigest()
    else:
        server.sha256 = 64 * '0'
    assert main(['models', 'fetch', NAME]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert 'owner/name/resolve/main/folder/file.pth: ' in line
    with pytest.raises(CheckpointError, match=f'Run `flashdepth models fetch {NAME}`'):
        find_weights(PRESETS[NAME])
    assert not cache_folder().exists() or not list(cache_folder().iterdir())


def test_verify_finds_weights_that_are_not_finite(server, capsys):
    assert main(['models', 'fetch', NAME]) == 0
    assert main(['models', 'verify']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f'{NAME}: ') and 'sha256' in line for line in lines)
    model = not_finite(golden_model(NAME))
    find_weights(PRESETS[NAME]).unlink()
    torch.save(model.state_dict(), cache_folder() / f'{NAME}.pth')
    assert main(['models', 'verify', NAME]) == 1
    assert 'entries are not finite' in capsys.readouterr().err
    assert main(['models', 'verify', 'flashdepth-s']) == 1
    assert 'flashdepth models fetch flashdepth-s' in capsys.readouterr().err


def test_addresses_are_those_of_hugging_face(monkeypatch):
    monkeypatch.delenv('HF_ENDPOINT', raising=False)
    assert SOURCES['video-depth-anything-b'].url == (
        'https://huggingface.co/depth-anything/Video-Depth-Anything-Base/resolve/main/'
        'video_depth_anything_vitb.pth'
    )
    assert set(SOURCES) <= set(PRESETS)


def test_missing_weights_message_says_where_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    config = create_model('depth-anything-v2-b').config
    with pytest.raises(
        CheckpointError,
        match=r'Run `flashdepth models fetch depth-anything-v2-b` \(license CC-BY-NC-4\.0\)',
    ):
        find_weights(config)
    (tmp_path / 'flashdepth_ros').mkdir()
    path = tmp_path / 'flashdepth_ros' / 'depth-anything-v2-b.pth'
    path.touch()
    assert find_weights(config) == path
