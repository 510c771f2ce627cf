"""Real nodes on one executor, for tests within one process."""

import gc
import os
import time

from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNodeMixin
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy

from flashdepth_ros.ros import wiring


class Graph:
    """Nodes on one executor, which runs only in the spin methods."""

    def __init__(self, context):
        self.context = context
        self.executor = SingleThreadedExecutor(context=context)
        self.nodes = []

    def node(self, name, kind=Node, **parameters):
        overrides = [Parameter(key, value=value) for key, value in parameters.items()]
        node = kind(name, context=self.context, parameter_overrides=overrides)
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def close(self):
        self.executor.shutdown()
        for node in self.nodes:
            node.destroy_node()
        managed = any(isinstance(node, LifecycleNodeMixin) for node in self.nodes)
        self.nodes.clear()
        if managed:
            # The participant ends with the state machine, which refers to itself.
            gc.collect()

    def spin_until(self, condition, timeout_s=10.0):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, 'timeout'
            self.executor.spin_once(timeout_sec=0.05)

    def spin_for(self, duration_s):
        deadline = time.monotonic() + duration_s
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.02)


def warnings_in(capfd):
    return [line for line in capfd.readouterr().err.splitlines() if 'WARN' in line]


def best_effort_input(message_type, topic='image'):
    """Return the input of the depth node's image subscription without publishers."""
    return wiring.Input(message_type, topic, wiring.image_qos(ReliabilityPolicy.BEST_EFFORT))


def other_domain() -> int:
    """Return a domain that no test process uses: they have consecutive ones, by their numbers."""
    return (int(os.environ['ROS_DOMAIN_ID']) + 49) % 100 + 1
