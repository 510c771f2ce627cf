"""A depth node that sends itself a signal, twice, at the moment named on the command line."""

import os
import signal
import sys
import time

from rclpy.executors import SingleThreadedExecutor

from flashdepth_ros.entry_point import run_process
from flashdepth_ros.node import process
from flashdepth_ros.node.depth_node import DepthNode
from flashdepth_ros.node.pipeline import Pipeline
from flashdepth_ros.runtime.settings import create_estimator

MOMENTS = {
    'create': (Pipeline, '__init__'),
    'load': (sys.modules[__name__], 'create_estimator'),
    'activate': (DepthNode, 'activate'),
    'spin': (SingleThreadedExecutor, 'spin_once'),
    'close': (DepthNode, 'close'),
}
LOAD_S = 60.0


def interrupt_at(moment, number):
    """Send the signal when the function of a moment is called; loading then takes long."""
    owner, name = MOMENTS[moment]
    original = getattr(owner, name)

    def interrupted(*arguments, **options):
        for _ in range(2):
            os.kill(os.getpid(), number)
        result = original(*arguments, **options)
        if moment == 'load':
            time.sleep(LOAD_S)
        return result

    setattr(owner, name, interrupted)


if __name__ == '__main__':
    at, sent, *words = sys.argv[1:]
    interrupt_at(at, signal.Signals[sent])
    if at == 'close':
        interrupt_at('spin', signal.Signals[sent])
    sys.argv[1:] = words
    load = lambda parameters: create_estimator(parameters)  # noqa: E731 - as it is at the call
    sys.exit(run_process('depth_node', lambda: process.main(load=load)))
