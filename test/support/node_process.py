"""The depth node as a separate process, started and stopped as by a user."""

import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from support.network import ENGINE, MODEL, PRESET
from support.paths import ROOT

START_S = 60.0
LEFTOVERS = 'of shared memory left by killed processes'


def golden_weights(folder, preset, change=None):
    """
    Save the golden weights of a preset, modified by `change`; return the file.

    Where the tests run an exported model, return its file: tests that need another preset, or the
    change, are marked with `needs_torch`.
    """
    if MODEL:
        assert preset == PRESET, f'{MODEL} is {PRESET}, not {preset}: mark the test needs_torch'
        return Path(MODEL)
    from safetensors.torch import save_file

    from support.golden_models import golden_model

    model = golden_model(preset)
    if change is not None:
        change(model)
    path = folder / f'{preset}.safetensors'
    save_file({name: entry.contiguous() for name, entry in model.state_dict().items()}, path)
    return path


class NodeProcess:
    """A `depth_node` process; its output goes to a file; it is killed at the end of the block."""

    def __init__(
        self,
        folder,
        *remaps,
        environment=None,
        prefix=(),
        module='flashdepth_ros.node',
        **parameters,
    ):
        self._log = folder / f'node_{time.monotonic_ns()}.log'
        network = {'device': 'cpu', 'engine': ENGINE, 'precision': 'fp32'}
        settings = {'inference.short_side': 112, **network, **parameters}
        assignments = [f'{name}:={_yaml(value)}' for name, value in settings.items()]
        self._command = [
            *(*prefix, sys.executable, '-m', module, '--ros-args'),
            *(word for text in assignments for word in ('-p', text)),
            *(word for text in remaps for word in ('-r', text)),
        ]
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self):
        with self._log.open('wb') as log:
            self._child = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        return self

    def __exit__(self, *error):
        self._child.kill()
        self._child.wait()

    @property
    def pid(self):
        return self._child.pid

    @property
    def lines(self):
        """Return the lines of its log, without one that depends on other processes."""
        return [line for line in self.all_lines if LEFTOVERS not in line]

    @property
    def all_lines(self):
        return self._log.read_text(errors='replace').splitlines()

    @property
    def warnings(self):
        return [line for line in self.lines if '[WARN]' in line]

    @property
    def alive(self):
        return self._child.poll() is None

    def wait_for_line(self, text, timeout_s=START_S):
        deadline = time.monotonic() + timeout_s
        while not any(text in line for line in self.lines):
            assert self.alive, '\n'.join(self.lines)
            missing = [f'no line with {text!r} in time', *self.lines]
            assert time.monotonic() < deadline, '\n'.join(missing)
            time.sleep(0.05)

    def wait(self, timeout_s=START_S):
        return self._child.wait(timeout_s)

    def stop(self, number=signal.SIGINT):
        """Send a signal, expect the process to end within 2 s; return the exit status."""
        self._child.send_signal(number)
        return self._child.wait(2.0)

    def cpu_s(self):
        """Return the CPU time used by the process."""
        fields = Path(f'/proc/{self.pid}/stat').read_text().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def _yaml(value):
    return (
        str(value).lower() if isinstance(value, bool) else f"'{value}'" if value == '' else value
    )
