"""Run a module in two processes with torchrun."""

import os
import subprocess
import sys


def torchrun(module: str, *arguments: str) -> None:
    """Run a module in two processes; fail unless it succeeds without warnings."""
    command = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    done = subprocess.run(
        [sys.executable, *command, '-m', module, *arguments],
        env=os.environ | {'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 'Warning' not in done.stderr
