"""The command `flashdepth evaluate-frames`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
import sys

from flashdepth_ros.evaluation.bag import Task
from flashdepth_ros.evaluation.candidates import STILL_KEYS
from flashdepth_ros.evaluation.evaluation import Evaluation, evaluate
from flashdepth_ros.evaluation.options import (
    add_models,
    add_output,
    add_protocol,
    still_candidates_of,
)
from flashdepth_ros.evaluation.protocol import Topics
from flashdepth_ros.evaluation.reporting import run_and_report
from flashdepth_ros.evaluation.stills.given_sets import GivenSets
from flashdepth_ros.evaluation.stills.set_evaluation import evaluate_set
from flashdepth_ros.evaluation.stills.terminal import table
from flashdepth_ros.runtime.distributed import World

_NUMBERS = ('depth_min_m', 'depth_max_m', 'pixels_max')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    parser.add_argument(
        'folders',
        nargs='+',
        type=Path,
        metavar='FOLDER',
        help='a set of images with true depth, or a folder of sets: NAME.png (or .jpg) beside '
        'NAME.depth.png (16 bits, mm) or NAME.depth.npy (m), and camera.yaml',
    )
    add_output(parser)
    add_models(parser.add_argument_group('candidates'), STILL_KEYS)
    add_protocol(parser.add_argument_group('comparison'), _NUMBERS)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate the sets, and write the report; see `run_and_report`."""
    found = GivenSets.find(arguments.folders, arguments.output)
    return run_and_report(
        arguments,
        still_candidates_of(arguments),
        Topics(),
        lambda task, world: _evaluate(found, task, world),
        table,
    )


def _evaluate(found: GivenSets, task: Task, world: World) -> Evaluation:
    if world.is_main:
        sys.stderr.writelines(f'{line}\n' for line in found.left_out)
    evaluation = evaluate(found.sets, task, world, evaluate_set)
    return replace(evaluation, stills=True, left_out=tuple(found.left_out))
