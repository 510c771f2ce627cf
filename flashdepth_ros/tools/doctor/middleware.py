"""Check that ROS starts at all: with a wrong middleware it ends the whole process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
import subprocess
import sys

from flashdepth_ros.tools.doctor.finding import FAIL, Finding

_START = 'from rclpy.utilities import get_rmw_implementation_identifier as name; print(name())'
_TIMEOUT_S = 20.0


def middleware(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Load the middleware in a process of its own; nothing without rclpy, which `ros` reports."""
    if find_spec('rclpy') is None:
        return
    chosen = environ.get('RMW_IMPLEMENTATION') or 'the default'
    try:
        result = subprocess.run(
            [sys.executable, '-c', _START],
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        value = f'{chosen}: does not load within {_TIMEOUT_S:g} s'
        yield Finding('middleware', value, FAIL, 'unset RMW_IMPLEMENTATION')
        return
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ['no message'])[-1]
        fix = f'unset RMW_IMPLEMENTATION or install it ({reason})'
        yield Finding('middleware', f'{chosen} does not load', FAIL, fix)
    else:
        yield Finding('middleware', result.stdout.strip())
