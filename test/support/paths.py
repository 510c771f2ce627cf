"""Where the checkout and the tests' own files are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / 'test' / 'data'
STUBS = ROOT / 'test' / 'support' / 'stubs'
CAMERA_DRIVER = ROOT / 'test' / 'support' / 'camera_process.py'
