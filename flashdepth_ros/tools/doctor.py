"""`flashdepth doctor`: check that this computer can run the node, and print fixes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
import os
import sys

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.installation import missing_package


@dataclass(frozen=True)
class Finding:
    """The result of one check; `fix` is empty if nothing needs to be done."""

    name: str
    value: str
    fix: str = ''


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no options: the command has none."""
    del parser


def run(_: argparse.Namespace) -> int:
    """Print the results of the checks; return 1 if one of them needs a fix."""
    findings = list(check(os.environ))
    for finding in findings:
        sys.stdout.write(f'{finding.name:12} {finding.value}\n')
        if finding.fix:
            sys.stdout.write(f'{"":12} -> {finding.fix}\n')
    return int(any(finding.fix for finding in findings))


def check(environ: Mapping[str, str]) -> Iterator[Finding]:
    """
    Check the interpreter, torch, ROS, its transport and the default weights.

    Each check imports what it needs; a package that is missing is its finding.
    """
    yield Finding('python', f'{sys.version.split()[0]} ({sys.executable})')
    for name, findings in _CHECKS.items():
        try:
            yield from findings(environ)
        except ImportError as error:
            yield Finding(name, 'not checked', missing_package(error) or str(error))


def _torch(_: Mapping[str, str]) -> Iterator[Finding]:
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    built = f'CUDA {torch.version.cuda}' if torch.version.cuda else 'CPU only'
    fix = ''
    if torch.version.cuda and not gpus:
        fix = 'torch supports CUDA but finds no GPU: check the driver (nvidia-smi)'
    yield Finding(
        'torch',
        f'{torch.__version__} ({built}), {torch.get_num_threads()} threads, '
        f'GPUs: {", ".join(gpus) or "none"}',
        fix,
    )


def _ros(environ: Mapping[str, str]) -> Iterator[Finding]:
    import rclpy
    from rclpy.utilities import get_rmw_implementation_identifier

    from flashdepth_ros.ros.shared_memory import WITHOUT_SHARED_MEMORY, foreign_users
    from flashdepth_ros.ros.wiring import LARGE_MESSAGE_BYTES, large_message_advice

    rmw = get_rmw_implementation_identifier()
    distribution = environ.get('ROS_DISTRO', 'not set, as usual with ROS wheels')
    yield Finding('ros', f'rclpy from {rclpy.__path__[0]}, {rmw}, ROS_DISTRO {distribution}')
    advice = large_message_advice(LARGE_MESSAGE_BYTES + 1, environ, rmw)
    transports = environ.get('FASTDDS_BUILTIN_TRANSPORTS', 'not set')
    fix = 'export FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA for the node and for the camera driver'
    yield Finding('transport', f'FASTDDS_BUILTIN_TRANSPORTS {transports}', fix if advice else '')
    if users := foreign_users():
        others = f'{", ".join(users)}: data does not pass between their processes and yours'
        yield Finding('other users', f'Fast DDS is used by {others}', WITHOUT_SHARED_MEMORY)


def _weights(_: Mapping[str, str]) -> Iterator[Finding]:
    from flashdepth_ros.network.config import preset
    from flashdepth_ros.runtime.settings import Settings
    from flashdepth_ros.runtime.weights import find_weights

    config = preset(Settings().model)
    try:
        yield Finding('weights', str(find_weights(config)))
    except CheckpointError as error:
        yield Finding('weights', f'{config.name}: none', str(error))


_CHECKS: Mapping[str, Callable[[Mapping[str, str]], Iterator[Finding]]] = {
    'torch': _torch,
    'ros': _ros,
    'weights': _weights,
}
