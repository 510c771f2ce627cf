"""Evaluation of several bags, shared among processes, with the facts needed to reproduce it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
import shlex
import sys

from flashdepth_ros.evaluation.bag import Task
from flashdepth_ros.evaluation.host import host, versions
from flashdepth_ros.evaluation.names import distinct_names, without_repeats
from flashdepth_ros.evaluation.problems import Problem
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.results import BagResult
from flashdepth_ros.evaluation.summary import Summary, summarise
from flashdepth_ros.runtime.distributed import World


@dataclass(frozen=True)
class Evaluation:
    """The contents of a report."""

    bags: tuple[BagResult, ...]
    labels: tuple[str, ...]
    facts: dict[str, dict[str, str]]
    """What is needed to reproduce each candidate, by label."""
    protocol: Protocol
    command: str
    created: str
    versions: dict[str, str]
    machine: dict[str, str]
    stills: bool = False
    """Whether the bags are sets of still images, not recordings."""
    left_out: tuple[str, ...] = ()
    """What was given and is no bag, one line each."""

    @property
    def summaries(self) -> list[Summary]:
        """Return the summaries of the candidates over all bags, in the order of the labels."""
        return [summarise(label, self.bags) for label in self.labels]

    @property
    def failures(self) -> list[str]:
        """Return the failures, one line each."""
        return [problem.line for problem in self.problems]

    @property
    def problems(self) -> list[Problem]:
        """Return the failures with the names of the bags."""
        return [Problem(bag.bag, failure) for bag in self.bags for failure in bag.failures]

    @property
    def warnings(self) -> list[str]:
        """Return what a reader of the figures must know, one line each."""
        own = (f'{bag.bag}: {warning}' for bag in self.bags for warning in bag.warnings)
        return [*self.left_out, *own]

    @property
    def interrupted(self) -> bool:
        """Return whether the user interrupted the evaluation."""
        return any(bag.interrupted for bag in self.bags)

    @property
    def frames(self) -> int:
        """Return the number of frames compared with ground truth, over all candidates."""
        return sum(len(each.scored) for bag in self.bags for each in bag.candidates)


def evaluate(
    bags: Sequence[Path],
    task: Task,
    world: World,
    evaluate_one: Callable[[Path, Task], BagResult],
) -> Evaluation:
    """
    Evaluate every candidate on every bag.

    Process i of n evaluates the bags i, i + n, i + 2n, ...; every process returns all results. The
    errors of a bag are stored in its result. A bag that is given twice is evaluated once.
    """
    bags = without_repeats(bags)
    task = replace(task, names=distinct_names(bags))
    own = []
    for path in bags[world.rank :: world.size]:
        own.append(evaluate_one(path, task))
        if own[-1].interrupted:
            break
    by_rank = world.gather(own)
    results = [
        by_rank[index % world.size][index // world.size]
        for index in range(len(bags))
        if index // world.size < len(by_rank[index % world.size])
    ]
    return Evaluation(
        bags=tuple(results),
        labels=tuple(candidate.label for candidate in task.candidates),
        facts=task.loaded.facts,
        protocol=task.protocol,
        command=shlex.join(['flashdepth', *sys.argv[1:]]),
        created=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        versions=versions(),
        machine=host(world),
    )
