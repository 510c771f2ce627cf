"""However a process ends: one line at most, and the exit status."""

import os
import signal
import subprocess
import sys

import pytest

from flashdepth_ros.cli import main
from flashdepth_ros.entry_point import run_reporting
from flashdepth_ros.errors import BagError
from support.paths import ROOT

ERRORS = [
    ValueError('of two\nlines'),
    OSError(28, 'No space left on device'),
    PermissionError(13, 'Permission denied', '/folder/file'),
    KeyError('key'),
    AssertionError(),
    MemoryError(),
    BrokenPipeError(32, 'Broken pipe'),
    UnicodeDecodeError('utf-8', b'\xff', 0, 1, 'invalid start byte'),
]
# Runs the command with the modules of a package hidden: `-c CODE PACKAGE ARGUMENTS...`.
WITHOUT = """
import sys
package = sys.argv.pop(1)
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == package:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Hide())
from flashdepth_ros.cli import main
sys.exit(main())
"""


def raising(error):
    def main():
        raise error

    return main


def run(*command, **variables):
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def shell(command):
    """Run a shell command; `$FLASHDEPTH` is the tool, `$PRINT` a process that prints much."""
    code = 'from flashdepth_ros.entry_point import run_process; import sys; '
    code += 'sys.exit(run_process("test", lambda: print("text " * 10**5) or 0))'
    variables = {'PRINT': code, 'FLASHDEPTH': f'{sys.executable} -m flashdepth_ros.cli'}
    command = command.replace('$PRINT', f'{sys.executable} -c "$PRINT"')
    return run('bash', '-c', command, **variables)


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
def test_any_error_is_one_line_with_type_reason_and_hint(error, capsys, monkeypatch):
    monkeypatch.delenv('FLASHDEPTH_TRACEBACK', raising=False)
    assert run_reporting('flashdepth test', raising(error)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f'flashdepth test: {type(error).__name__}')
    assert ' '.join(str(error).split()) in line
    assert 'FLASHDEPTH_TRACEBACK=1' in line


def test_an_expected_error_has_no_type_and_no_hint(capsys):
    assert run_reporting('flashdepth test', raising(BagError('no such bag'))) == 1
    assert capsys.readouterr().err == 'flashdepth test: no such bag\n'


@pytest.mark.parametrize('error', [ValueError('reason'), BagError('reason')])
def test_the_traceback_is_shown_on_request(error, capsys, monkeypatch):
    monkeypatch.setenv('FLASHDEPTH_TRACEBACK', '1')
    assert run_reporting('flashdepth test', raising(error)) == 1
    printed = capsys.readouterr().err
    assert 'Traceback' in printed
    assert 'raise error\n' in printed


def test_an_interrupt_has_status_130(capsys):
    assert run_reporting('flashdepth test', raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == 'flashdepth test: interrupted\n'


def test_an_interrupt_inside_of_exec_has_status_130(tmp_path):
    (tmp_path / 'interrupted.py').write_text(
        'import sys\nfrom flashdepth_ros.entry_point import run_process\n'
        'sys.exit(run_process("test", lambda: exec("raise KeyboardInterrupt")))\n'
    )
    done = run(sys.executable, '-m', 'interrupted', PYTHONPATH=f'{tmp_path}{os.pathsep}{ROOT}')
    assert (done.returncode, done.stderr) == (130, 'test: interrupted\n')


@pytest.mark.parametrize(
    ('command', 'status', 'message'),
    [
        ('$FLASHDEPTH --help | true; exit ${PIPESTATUS[0]}', 0, ''),
        ('$PRINT | head -c 1 > /dev/null; exit ${PIPESTATUS[0]}', 141, ''),
        ('$PRINT > /dev/full', 1, 'No space left on device'),
        ('$PRINT >&-', 0, ''),
        ('$FLASHDEPTH play none 2>&-', 1, ''),
    ],
)
def test_output_that_cannot_be_written(command, status, message):
    done = shell(command)
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == bool(message)


def test_text_that_the_terminal_cannot_show_is_escaped():
    code = 'from flashdepth_ros.entry_point import run_process\n'
    code += 'run_process("test", lambda: print(chr(0x3b4)) or 0)'
    done = run(sys.executable, '-c', code, PYTHONIOENCODING='ascii')
    assert done.stdout == '\\u03b4\n', done.stderr


@pytest.mark.parametrize('home', ['', 'HOME=/proc'])
def test_commands_need_no_home(home):
    environment = f'env -i {home} PATH=$PATH PYTHONPATH={ROOT}'
    sample = 'recordings/sample'
    done = shell(f'{environment} $FLASHDEPTH play {sample} --rate 100 --topics /odom')
    assert done.returncode == 0, done.stderr
    assert 'played 72 messages' in done.stderr


@pytest.mark.parametrize(
    ('package', 'arguments', 'message'),
    [
        ('rclpy', 'play recordings/sample', "pip install '.[jazzy]'"),
        ('rosbags', 'infer recordings/sample -o none', "pip install '.[bags]'"),
        ('mujoco', 'camera', "pip install '.[simulation]'"),
        ('torch', 'models list', "pip install '.[torch]'"),
    ],
)
def test_a_missing_package_is_one_line(package, arguments, message):
    done = run(sys.executable, '-c', WITHOUT, package, *arguments.split())
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f'flashdepth {arguments.split()[0]}: cannot import')
    assert repr(package) in line
    assert message in line


def test_commands_do_not_touch_the_signals_of_the_calling_process(capsys):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    main(['models', 'check', 'none.pth'])
    assert [signal.getsignal(number) for number in numbers] == before
