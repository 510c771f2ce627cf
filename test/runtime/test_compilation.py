"""OpenVINO runs wherever a network can be compiled; the cache on disk only saves time."""

from functools import cache
import os
import sys
import time

import pytest
import torch

from flashdepth_ros.runtime.engines import EngineChoice, compilation, create_engine
from flashdepth_ros.runtime.engines.openvino_core import cpu_precision
from support import golden_models

compiling = pytest.importorskip('flashdepth_ros.runtime.engines.compiler')

PRESET = 'flashdepth-tiny-s'
SIZE = (42, 56)
NETWORK_VARIABLE = 'TEST_NETWORK'
STORED = f"""
import os, sys
os.write(int(sys.argv[2]), open(os.environ['{NETWORK_VARIABLE}'], 'rb').read())
"""
"""A quick compiler: it passes on a network that was compiled before."""


@cache
def model():
    return golden_models.golden_model(PRESET)


@cache
def expected():
    with torch.inference_mode():
        return model()(golden_models.golden_clip(1, *SIZE))[0]


@pytest.fixture(scope='module')
def network():
    """What the compiler returns."""
    return compiling.compile_model(model(), ('CPU', 'fp32', (1, 1, 3, *SIZE)))


@pytest.fixture(autouse=True)
def compiler(tmp_path, monkeypatch, network):
    """Return a function that replaces the compiler by a Python program; at first, by `STORED`."""
    path = tmp_path / 'network'
    path.write_bytes(network)
    monkeypatch.setenv(NETWORK_VARIABLE, str(path))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))

    def replace(program):
        monkeypatch.setattr(compilation, 'PROGRAM', (sys.executable, '-c', program))

    replace(STORED)
    return replace


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'cache' / 'flashdepth_ros' / 'compiled'


def run():
    """Run a frame on a new engine; return the engine and inverse depth."""
    engine = create_engine(model(), EngineChoice('cpu', 'fp32', 'openvino'))
    return engine, engine.run(golden_models.golden_clip(1, *SIZE), None)[0]


def assert_runs_openvino():
    engine, inverse_depth = run()
    torch.testing.assert_close(inverse_depth, expected(), rtol=1e-3, atol=1e-4)
    assert (engine.name, engine.precision, engine.reason) == ('openvino', 'fp32', '')


@pytest.fixture
def blob(folder):
    """The file that the first engine left."""
    assert_runs_openvino()
    (path,) = folder.iterdir()
    return path


def test_network_is_compiled_once(blob, compiler, network):
    compiler('raise SystemExit(1)')
    assert_runs_openvino()
    assert blob.read_bytes().endswith(network)
    assert list(blob.parent.iterdir()) == [blob]


def a_file(folder):
    folder.parent.mkdir(parents=True)
    folder.write_text('')


def a_folder_of_the_kernel(folder):
    folder.parents[1].symlink_to('/proc')


@pytest.mark.parametrize('obstacle', [a_file, a_folder_of_the_kernel])
def test_openvino_runs_without_a_writable_cache(folder, caplog, obstacle):
    obstacle(folder)
    assert_runs_openvino()
    (line,) = caplog.messages
    assert f'cannot be stored in {folder}: ' in line
    assert 'unless XDG_CACHE_HOME is set to a writable folder' in line


def test_openvino_runs_for_a_user_without_a_home(monkeypatch, caplog):
    monkeypatch.setattr('flashdepth_ros.runtime.engines.model_store.cache_folder', lambda: None)
    assert_runs_openvino()
    assert 'cannot be stored: this user has no home folder' in caplog.text


def test_openvino_runs_on_a_full_disk(blob, caplog):
    blob.unlink()
    blob.with_suffix(f'.{os.getpid()}.partial').symlink_to('/dev/full')
    assert_runs_openvino()
    assert 'No space left on device' in caplog.text
    assert not list(blob.parent.iterdir())


@pytest.mark.parametrize('kept', [0, 20, 100_000])
def test_truncated_file_is_replaced_with_one_line(blob, caplog, kept):
    content = blob.read_bytes()
    blob.write_bytes(content[:kept])
    assert_runs_openvino()
    assert caplog.messages == [f'{blob} is damaged; compiling it again']
    assert blob.read_bytes() == content


def test_file_with_one_wrong_bit_is_replaced(blob, caplog):
    content = blob.read_bytes()
    blob.write_bytes(content[:-999] + bytes([content[-999] ^ 1]) + content[-998:])
    assert_runs_openvino()
    assert 'is damaged; compiling it again' in caplog.text
    assert blob.read_bytes() == content


def test_file_that_can_be_neither_read_nor_replaced_is_ignored(blob, caplog):
    blob.unlink()
    (blob / 'content').mkdir(parents=True)
    assert_runs_openvino()
    assert 'cannot be stored' in caplog.text


@pytest.mark.parametrize(
    ('program', 'reason'),
    [
        ('import os; os.kill(os.getpid(), 9)', 'was killed, most likely because memory ran out'),
        ('import os; os.kill(os.getpid(), 11)', 'was ended by SIGSEGV'),
        ('raise MemoryError', 'failed: MemoryError'),
        ('raise SystemExit(3)', 'failed with exit status 3'),
        ('', ''),
        ('import os, sys; os.write(int(sys.argv[2]), bytes(5000))', ''),
        ('import time; time.sleep(60)', 'did not finish in 1 s'),
    ],
)
def test_torch_runs_and_is_named_if_the_compiler_fails(
    compiler, folder, monkeypatch, caplog, program, reason
):
    monkeypatch.setattr(compilation, 'LIMIT_S', 0.6)
    compiler(program)
    engine, inverse_depth = run()
    assert inverse_depth.shape == (1, 1, *SIZE)
    assert (engine.name, engine.precision) == ('torch', cpu_precision())
    assert engine.reason == 'openvino failed'
    (line,) = caplog.messages
    assert 'using torch for inference at 56x42: ' in line
    assert reason in line
    assert not folder.exists()


def test_torch_runs_if_there_is_no_memory_for_the_compiler(monkeypatch, caplog):
    def refuse(*_):
        raise OSError('no memory')

    monkeypatch.setattr(os, 'memfd_create', refuse)
    monkeypatch.setattr('tempfile.TemporaryFile', refuse)
    engine, _ = run()
    assert engine.name == 'torch'
    assert 'no memory' in caplog.text


def test_network_is_compiled_without_memory_files(monkeypatch):
    monkeypatch.delattr(os, 'memfd_create')
    assert_runs_openvino()


def test_long_compilation_is_reported(compiler, monkeypatch, caplog):
    monkeypatch.setattr('flashdepth_ros.runtime.engines.openvino_engine._REPORT_S', 0.1)
    compiler('import time; time.sleep(0.4)' + STORED)
    assert_runs_openvino()
    assert 'OpenVINO has been compiling the network for 56x42 for 0 s' in caplog.messages


def test_engine_that_is_deleted_kills_its_compiler(compiler, tmp_path):
    engine, _ = run()
    pid = tmp_path / 'pid'
    compiler(f'import os, time; open({str(pid)!r}, "w").write(str(os.getpid())); time.sleep(60)')
    engine.run(golden_models.golden_clip(1, 28, 28), None)
    assert (engine.name, engine.reason) == ('torch', 'until openvino is ready')
    while not pid.exists() or not pid.read_text():
        time.sleep(0.01)
    del engine
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
