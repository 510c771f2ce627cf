"""A whole evaluation: many bags, shared among processes, and all that it takes to repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
import os
from pathlib import Path
import platform
import shlex
import sys

import torch

from flashdepth_ros import __version__
from flashdepth_ros.evaluation.bag import Task, evaluate_bag
from flashdepth_ros.evaluation.candidates import ModelCandidate
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.results import BagResult
from flashdepth_ros.evaluation.summary import Summary, summarise
from flashdepth_ros.runtime.distributed import World

_LIBRARIES = ('torch', 'numpy', 'opencv-python-headless', 'rosbags', 'openvino')


@dataclass(frozen=True)
class Evaluation:
    """What a report tells."""

    bags: tuple[BagResult, ...]
    labels: tuple[str, ...]
    facts: dict[str, dict[str, str]]
    """What each candidate is, by label."""
    protocol: Protocol
    command: str
    created: str
    versions: dict[str, str]
    machine: dict[str, str]

    @property
    def summaries(self) -> list[Summary]:
        """Return the candidates over all bags, in the order they were asked for."""
        return [summarise(label, self.bags) for label in self.labels]

    @property
    def failures(self) -> list[str]:
        """Return what went wrong, a line each."""
        return [f'{bag.bag}: {failure}' for bag in self.bags for failure in bag.failures]

    @property
    def interrupted(self) -> bool:
        """Tell whether the user stopped it."""
        return any(bag.interrupted for bag in self.bags)

    @property
    def frames(self) -> int:
        """Return how many frames were compared with truth, over all candidates."""
        return sum(len(each.scored) for bag in self.bags for each in bag.candidates)


def evaluate(bags: Sequence[Path], task: Task, world: World) -> Evaluation:
    """
    Judge every candidate on every bag; each process takes every n-th bag and gets all results.

    What goes wrong with a bag stands in its result.
    """
    mine = []
    for path in bags[world.rank :: world.size]:
        mine.append(evaluate_bag(path, task))
        if mine[-1].interrupted:
            break
    shares = world.gather(mine)
    results = [
        shares[index % world.size][index // world.size]
        for index in range(len(bags))
        if index // world.size < len(shares[index % world.size])
    ]
    return Evaluation(
        bags=tuple(results),
        labels=tuple(candidate.label for candidate in task.candidates),
        facts=_facts(task),
        protocol=task.protocol,
        command=shlex.join(['flashdepth', *sys.argv[1:]]),
        created=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        versions=_versions(),
        machine=_machine(world),
    )


def _facts(task: Task) -> dict[str, dict[str, str]]:
    return {
        each.label: each.facts(task.estimators[each.label])
        if isinstance(each, ModelCandidate)
        else each.facts()
        for each in task.candidates
    }


def _versions() -> dict[str, str]:
    found = {'flashdepth_ros': __version__, 'python': platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _machine(world: World) -> dict[str, str]:
    gpu = torch.cuda.get_device_name(world.device) if world.device.type == 'cuda' else 'none'
    return {
        'system': platform.platform(),
        'processor': _processor(),
        'cores': str(os.cpu_count()),
        'threads': str(torch.get_num_threads()),
        'gpu': gpu,
        'processes': str(world.size),
    }


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(':')[2].strip() for line in lines if line.startswith('model name'))
    return next(names, platform.processor())
