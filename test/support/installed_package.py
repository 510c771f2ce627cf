"""The package as colcon installs it, in a folder of the test's own."""

import os
from pathlib import Path
import subprocess
import sys

from support.paths import ROOT

FOREIGN = ('AMENT_PREFIX_PATH', 'COLCON_PREFIX_PATH')


def colcon(folder: Path, verb: str, *arguments: str) -> str:
    """Run colcon on this package with all that it writes under a folder; return its output."""
    run = subprocess.run(
        [sys.executable, '-m', 'colcon', '--log-base', folder / 'log', verb, *arguments],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def build(folder: Path, *arguments: str) -> Path:
    """Run `colcon build` and return the folder with its set-up scripts."""
    folder.mkdir(parents=True, exist_ok=True)
    places = ('--build-base', folder / 'build', '--install-base', folder / 'install')
    colcon(folder, 'build', '--base-paths', str(ROOT), *map(str, places), *arguments)
    return folder / 'install'


def _environment() -> dict[str, str]:
    """Return the environment without other workspaces, and so that the checkout stays clean."""
    known = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return known | {'PYTHONDONTWRITEBYTECODE': '1', 'PYTEST_ADDOPTS': '-p no:cacheprovider'}


def environment(install: Path) -> dict[str, str]:
    """Return the environment of a shell that has sourced an install folder."""
    command = f'. {install}/setup.bash && env -0'
    output = subprocess.check_output(['bash', '-c', command], text=True)
    return dict(entry.split('=', 1) for entry in output.split('\0') if '=' in entry)
