"""`flashdepth doctor`: what on this machine could keep the node from running, and the cure."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import os
import sys

import rclpy
from rclpy.utilities import get_rmw_implementation_identifier
import torch

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network.config import preset
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.ros.wiring import LARGE_MESSAGE_BYTES, large_message_advice
from flashdepth_ros.runtime.weights import find_weights


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `cure` empty: nothing to do."""

    what: str
    found: str
    cure: str = ''


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: there is nothing to choose."""
    del parser


def run(_: argparse.Namespace) -> int:
    """Print what was found; return 1 where something needs a cure."""
    findings = list(examine(os.environ))
    for finding in findings:
        sys.stdout.write(f'{finding.what:12} {finding.found}\n')
        if finding.cure:
            sys.stdout.write(f'{"":12} -> {finding.cure}\n')
    return int(any(finding.cure for finding in findings))


def examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the interpreter, torch, ROS, its transport and the default weights."""
    yield Finding('python', f'{sys.version.split()[0]} ({sys.executable})')
    yield _torch()
    rmw = get_rmw_implementation_identifier()
    distribution = environ.get('ROS_DISTRO', 'not set, as with wheels')
    yield Finding('ros', f'rclpy from {rclpy.__path__[0]}, {rmw}, ROS_DISTRO {distribution}')
    advice = large_message_advice(LARGE_MESSAGE_BYTES + 1, environ, rmw)
    transports = environ.get('FASTDDS_BUILTIN_TRANSPORTS', 'not set')
    cure = 'export FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA, here and where the camera driver runs'
    yield Finding('transport', f'FASTDDS_BUILTIN_TRANSPORTS {transports}', cure if advice else '')
    yield _weights()


def _torch() -> Finding:
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    built = f'CUDA {torch.version.cuda}' if torch.version.cuda else 'CPU only'
    cure = ''
    if torch.version.cuda and not gpus:
        cure = 'torch can use CUDA but sees no GPU: check the driver (nvidia-smi)'
    return Finding(
        'torch',
        f'{torch.__version__} ({built}), {torch.get_num_threads()} threads, '
        f'GPUs: {", ".join(gpus) or "none"}',
        cure,
    )


def _weights() -> Finding:
    config = preset(Parameters().model)
    try:
        return Finding('weights', str(find_weights(config)))
    except CheckpointError as error:
        return Finding('weights', f'{config.name}: none', str(error))
