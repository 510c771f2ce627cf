"""A depth node whose network runs as on a GPU: graphs, and copies beside them."""

import sys

from flashdepth_ros.entry_point import run_process
from flashdepth_ros.node import process
from flashdepth_ros.runtime.settings import create_estimator
from support.gpu_on_cpu import emulate_gpu


def load(parameters):
    """Return the estimator for the parameters, on an emulated GPU."""
    estimator = create_estimator(parameters)
    emulate_gpu(estimator, parameters.model)
    return estimator


if __name__ == '__main__':
    sys.exit(run_process('depth_node', lambda: process.main(load=load)))
