"""The process of the node: its arguments, signals, executor and exit status."""

from __future__ import annotations

import atexit
from contextlib import suppress
from functools import partial
import gc
from importlib import import_module
import os
import sys
import time
from typing import NoReturn

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from flashdepth_ros.interruption import INTERRUPTED_STATUS, Interruption
from flashdepth_ros.node.boundary import Boundary
from flashdepth_ros.node.depth_node import DepthNode
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.pipeline import EstimatorFactory
from flashdepth_ros.node.threads import NodeThread
from flashdepth_ros.ros.shared_memory import remove_abandoned_segments
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.engines.exported_model import is_exported
from flashdepth_ros.runtime.settings import create_estimator

# So that a callback that always fails does not take a whole core.
_AFTER_FAILURE_S = 0.01


def main(args: list[str] | None = None, load: EstimatorFactory = create_estimator) -> int:
    """
    Run the node until it is shut down; return the exit status.

    Signals only set a flag: an exception could arise anywhere, even where it is ignored.
    """
    with Interruption() as interruption:
        status = _run(args, partial(_load, load), interruption)
        if NodeThread.any_running():
            _end_process(status)
    return status


def _load(load: EstimatorFactory, parameters: Parameters) -> DepthEstimator:
    """Load the estimator, after the modules that it needs are excluded from garbage collection."""
    if not is_exported(parameters.weights):
        with suppress(ImportError):  # reported by `load`
            import_module('torch')
    # A scan of torch's objects takes long.
    gc.freeze()
    return load(parameters)


def _run(args: list[str] | None, load: EstimatorFactory, interruption: Interruption) -> int:
    node = None
    removed = remove_abandoned_segments()
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = DepthNode(load, lambda: interruption.requested)
        if removed:
            get_logger(node.get_name()).info(
                f'removed {removed / 1e6:.0f} MB of shared memory left by killed processes'
            )
        node.warn_ineffective(sys.argv if args is None else args)
        if not node.start():
            return INTERRUPTED_STATUS if interruption.requested else 1
        _spin(node, interruption)
        if lost := node.pipeline.lost_device:
            get_logger(node.get_name()).fatal(
                f'the GPU cannot be used by this process any more ({lost}): it ends; start the '
                'node again'
            )
            return 1
    except Exception as error:  # noqa: BLE001 - nothing may end the process without a line
        Boundary(get_logger('flashdepth')).report('not started', error)
        return 1
    finally:
        if node is not None:
            node.close()
            if not NodeThread.any_running():
                node.destroy_node()
        rclpy.utilities.try_shutdown()
    return 0


def _spin(node: DepthNode, interruption: Interruption) -> None:
    """Execute callbacks; what one of them raises is logged, and the next one is executed."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    boundary = Boundary(get_logger(node.get_name()))
    try:
        # Not spin_until_future_complete: rclpy would add a callback to the future at every turn.
        while not (node.finished or interruption.requested or node.pipeline.lost_device):
            try:
                executor.spin_once()
            except ExternalShutdownException:
                return
            except Exception as error:  # noqa: BLE001 - no callback may end the node
                boundary.report('callback failed', error)
                time.sleep(_AFTER_FAILURE_S)
    finally:
        executor.shutdown(0)


def _end_process(status: int) -> NoReturn:
    """End the process although a thread is inside a call, where it would crash at a normal end."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
