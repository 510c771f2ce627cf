"""The depth node as a process of its own, started, asked and ended as a user would."""

import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from safetensors.torch import save_file

from support.golden_models import golden_model
from support.paths import ROOT

START_S = 60.0


def golden_weights(folder, preset, change=None):
    """Save the golden weights of a preset, changed; return the file."""
    model = golden_model(preset)
    if change is not None:
        change(model)
    path = folder / f'{preset}.safetensors'
    save_file({name: entry.contiguous() for name, entry in model.state_dict().items()}, path)
    return path


class NodeProcess:
    """`depth_node`; what it says goes to a file; killed at the end of the block if need be."""

    def __init__(self, folder, *remaps, environment=None, **parameters):
        self._log = folder / f'node_{time.monotonic_ns()}.log'
        network = {'device': 'cpu', 'engine': 'torch', 'precision': 'fp32'}
        given = {'inference.short_side': 112, **network, **parameters}
        words = [f'{name}:={_yaml(value)}' for name, value in given.items()]
        self._command = [
            *(sys.executable, '-m', 'flashdepth_ros.node.depth_node', '--ros-args'),
            *(word for text in words for word in ('-p', text)),
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
            assert time.monotonic() < deadline, '\n'.join(['not said in time', *self.lines])
            time.sleep(0.05)

    def wait(self, timeout_s=START_S):
        return self._child.wait(timeout_s)

    def end(self, number=signal.SIGINT):
        """Send a signal; return the exit status, which comes within 2 s."""
        self._child.send_signal(number)
        return self._child.wait(2.0)

    def cpu_s(self):
        """Return the processor time that the process has taken."""
        fields = Path(f'/proc/{self.pid}/stat').read_text().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def _yaml(value):
    return (
        str(value).lower() if isinstance(value, bool) else f"'{value}'" if value == '' else value
    )
