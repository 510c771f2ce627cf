"""Describe the computer and the software of a benchmark run."""

from __future__ import annotations

import os
from pathlib import Path
import platform
import time
from typing import Any

import cv2
import numpy as np
from rclpy.utilities import get_rmw_implementation_identifier
import torch

from flashdepth_ros import __version__


def machine() -> dict[str, Any]:
    """Return the processor, the operating system, and the current load."""
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return {
        'cpu': names[0] if names else platform.processor(),
        'cores': os.cpu_count(),
        'load': os.getloadavg()[0],
        'system': platform.platform(),
        'time': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
    }


def versions() -> dict[str, str]:
    """Return the versions of the package and its main dependencies."""
    return {
        'flashdepth_ros': __version__,
        'python': platform.python_version(),
        'torch': torch.__version__,
        'numpy': np.__version__,
        'opencv': cv2.__version__,
        'middleware': get_rmw_implementation_identifier(),
    }
