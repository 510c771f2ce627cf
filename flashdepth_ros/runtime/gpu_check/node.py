"""The whole node on this GPU, in processes of its own: `flashdepth bench --pipeline`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
import json
from pathlib import Path
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

from flashdepth_ros.runtime.gpu_check.bench import Bench

_TIMEOUT_S = 120.0


def node(bench: Bench) -> Iterator[dict[str, Any]]:
    """Yield latency and highest rate of the node at 640x480."""
    if find_spec('rclpy') is None:
        yield {'skipped': 'ROS is not installed'}
        return
    model, size, seconds = ('flashdepth-s', '640x480', '10')
    if bench.rehearsal:
        model, size, seconds = ('flashdepth-tiny-l', '56x42', '2')
    with TemporaryDirectory(prefix='flashdepth-') as folder:
        results = Path(folder) / 'results.json'
        command = [sys.executable, '-m', 'flashdepth_ros.cli', 'bench', '--pipeline']
        command += ['--model', model, '--size', size, '--seconds', seconds, '--engine', 'torch']
        command += ['--device', str(bench.device), '--json', str(results)]
        ran = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
        if ran.returncode:
            yield {'ok': False, 'error': (ran.stderr.strip().splitlines() or ['no output'])[-1]}
            return
        report = json.loads(results.read_text(encoding='utf-8'))
    for name in ('latency', 'throughput', 'peak_throughput', 'throughput_ratio', 'node'):
        yield {'measured': name, 'value': report[name]}
