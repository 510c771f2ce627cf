import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from flashdepth_ros.interruption import children_without_interrupt, termination_as_interrupt
from support.paths import ROOT

REQUESTS = (signal.SIGTERM, signal.SIGHUP)
# Interrupts itself when it imports a module: `-c CODE MODULE ENTRY_POINT ARGUMENTS...`. What it
# imports there swallows the KeyboardInterrupt, as some packages do.
INTERRUPTED_IMPORT = """
import os, signal, sys
module, entry_point = sys.argv[1:3]
del sys.argv[1:3]
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except BaseException:
                raise ImportError('swallowed') from None
sys.meta_path.insert(0, Interrupt())
from importlib import import_module
sys.exit(import_module(entry_point).main())
"""
CLI, NODE = 'flashdepth_ros.cli', 'flashdepth_ros.node.__main__'


@pytest.fixture(params=REQUESTS, ids=lambda number: number.name)
def termination_signal(request):
    previous = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, previous)


def test_termination_signal_raises_keyboard_interrupt(termination_signal):
    with pytest.raises(KeyboardInterrupt), termination_as_interrupt():
        signal.raise_signal(termination_signal)
    assert signal.getsignal(termination_signal) is signal.SIG_DFL


def test_ignored_signal_stays_ignored(termination_signal):
    signal.signal(termination_signal, signal.SIG_IGN)
    with termination_as_interrupt():
        signal.raise_signal(termination_signal)
    assert signal.getsignal(termination_signal) is signal.SIG_IGN


@pytest.mark.parametrize(
    ('module', 'entry_point', 'arguments'),
    [
        ('argparse', CLI, ['--help']),
        ('numpy', CLI, ['infer', 'bag', '-o', 'out']),
        ('flashdepth_ros.tools.player.command', CLI, ['play', 'bag']),
        ('torch', CLI, ['models', 'list']),
        ('rclpy', NODE, []),
    ],
)
def test_ctrl_c_while_importing_ends_without_a_traceback(module, entry_point, arguments):
    """Also where a command imports while it runs."""
    command = [sys.executable, '-c', INTERRUPTED_IMPORT, module, entry_point, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 130
    assert re.fullmatch(r'(flashdepth \w+: )?interrupted\n', done.stderr)


@pytest.mark.parametrize('entry_point', [CLI, NODE])
def test_entry_points_import_little_before_they_handle_ctrl_c(entry_point):
    code = f'import sys; before = set(sys.modules); import {entry_point}; '
    code += 'print(*set(sys.modules) - before)'
    done = subprocess.check_output([sys.executable, '-c', code], cwd=ROOT, text=True)
    imported = {name.partition('.')[0] for name in done.split()}
    assert not imported & {'argparse', 'dataclasses', 'numpy', 'rclpy', 'torch', 'logging'}


def test_an_ignored_interrupt_stays_ignored_in_a_process():
    code = 'import os, signal\nfrom flashdepth_ros.entry_point import run_process\n'
    code += 'run_process("test", lambda: os.kill(os.getpid(), signal.SIGINT) or 0)\nprint("end")'
    command = f"trap '' INT; {sys.executable} -c '{code}'"
    assert subprocess.check_output(['bash', '-c', command], cwd=ROOT, text=True) == 'end\n'


def test_children_of_a_block_never_receive_ctrl_c():
    code = 'import sys; print(flush=True); sys.stdin.read()'
    with children_without_interrupt():
        child = subprocess.Popen(
            [sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    with child:
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        time.sleep(0.1)
        assert child.poll() is None
        child.stdin.close()
        assert child.wait(10) == 0
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_children_of_multiprocessing_never_receive_ctrl_c():
    child = multiprocessing.get_context('spawn').Process(target=time.sleep, args=(0.1,))
    with children_without_interrupt():
        child.start()
    os.kill(child.pid, signal.SIGINT)
    child.join()
    assert child.exitcode == 0
