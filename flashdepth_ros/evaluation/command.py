"""The command `flashdepth evaluate`; with torchrun, `-m flashdepth_ros.cli evaluate`."""

from __future__ import annotations

import argparse

from flashdepth_ros.evaluation.bag import evaluate_bag
from flashdepth_ros.evaluation.evaluation import evaluate
from flashdepth_ros.evaluation.options import add_options, candidates_of, topics_of
from flashdepth_ros.evaluation.reporting import run_and_report
from flashdepth_ros.evaluation.terminal import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate the recordings, and write the report; see `run_and_report`."""
    return run_and_report(
        arguments,
        candidates_of(arguments),
        topics_of(arguments),
        lambda task, world: evaluate(arguments.bags, task, world, evaluate_bag),
        table,
    )
