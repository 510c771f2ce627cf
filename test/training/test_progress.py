"""A training run shows at once and then regularly what it does."""

import logging
import subprocess
import sys

from flashdepth_ros.training import progress
from support.paths import ROOT

# `flashdepth train` on a computer where PyTorch takes for ever, which is to say fails, to load.
WITHOUT_TORCH = """
import sys
sys.modules['torch'] = None
from flashdepth_ros.cli import main
sys.exit(main())
"""


def test_the_first_line_comes_before_pytorch():
    command = [sys.executable, '-c', WITHOUT_TORCH, 'train', 'config.yaml']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    first, last = done.stderr.splitlines()
    assert first == 'training by config.yaml: loading PyTorch'
    assert "cannot import the Python package 'torch'" in last


def test_progress_is_logged_at_once_and_then_every_few_seconds(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    now_s = 100.0
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now_s)
    shown = progress.Progress()
    for number in range(20):
        shown.log('step %d', number)
        now_s += 1.0
    assert [record.message for record in caplog.records] == [
        f'step {number}' for number in range(0, 20, int(progress.PERIOD_S))
    ]
