"""`flashdepth doctor`: every check, whatever fails in the others."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib import import_module
import json
import os
import sys

from flashdepth_ros.entry_point import describe
from flashdepth_ros.tools.doctor.finding import FAIL, Finding

_HERE = 'flashdepth_ros.tools.doctor'
_CHECKS = {
    'computer': ('interpreter', 'processor', 'memory', 'folders', 'clock', 'sockets'),
    'packages': ('torch', 'openvino', 'onnxruntime', 'weights'),
    'middleware': ('middleware',),
    'ros': ('ros', 'transport', 'discovery', 'shared_memory', 'camera'),
}
"""The functions of each module, in order. A module is imported only when its checks are made."""

Check = Callable[[Mapping[str, str]], Iterator[Finding]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    parser.add_argument('--json', action='store_true', help='print the results as JSON')


def run(arguments: argparse.Namespace) -> int:
    """Print the results of the checks; return 1 if one of them is FAIL."""
    findings = []
    for finding in check(os.environ):
        findings.append(finding)
        if not arguments.json:
            sys.stdout.write(f'{finding.status:5} {finding.name:14} {finding.value}\n')
            if finding.fix:
                sys.stdout.write(f'{"":20} -> {finding.fix}\n')
            sys.stdout.flush()
    if arguments.json:
        sys.stdout.write(f'{json.dumps([asdict(each) for each in findings], indent=2)}\n')
    return int(any(finding.status == FAIL for finding in findings))


def check(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Make all checks; one that raises an error, such as a missing package, is a finding."""
    unusable = False
    for module, names in _CHECKS.items():
        if module == 'ros' and unusable:
            yield Finding('ros', 'not checked', FAIL, 'first mend the middleware')
            return
        for name in names:
            try:
                function: Check = getattr(import_module(f'{_HERE}.{module}'), name)
                for finding in function(environ):
                    unusable |= finding.name == 'middleware' and finding.status == FAIL
                    yield finding
            except Exception as error:  # noqa: BLE001 - the others are made all the same
                yield Finding(name.replace('_', ' '), 'not checked', FAIL, describe(error))
