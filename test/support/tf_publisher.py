"""Publish transforms on `/tf` and `/tf_static`, also without the package tf2_msgs."""

from importlib.util import find_spec
import os
from pathlib import Path
import sys

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from flashdepth_ros.bags.build import jazzy
from support.evaluation_bags import transforms
from support.paths import ROOT

STAND_IN = Path(__file__).parent / 'tf_messages'
ENVIRONMENT = {}
"""For processes that import tf2_msgs."""
if find_spec('tf2_msgs') is None:
    sys.path.append(str(STAND_IN))
    ENVIRONMENT = {'PYTHONPATH': os.pathsep.join((str(ROOT), str(STAND_IN)))}


class TransformPublisher:
    """Publishes poses (7,) as serialised messages."""

    def __init__(self, node, static):
        from tf2_msgs.msg import TFMessage

        durability = DurabilityPolicy.TRANSIENT_LOCAL if static else DurabilityPolicy.VOLATILE
        reliability = ReliabilityPolicy.RELIABLE
        qos = QoSProfile(depth=10, durability=durability, reliability=reliability)
        topic = '/tf_static' if static else '/tf'
        self._publisher = node.create_publisher(TFMessage, topic, qos)

    def publish(self, *frames):
        """Publish (parent, child, stamp_ns, pose) tuples in one message."""
        self._publisher.publish(serialised(*frames))


def serialised(*frames):
    """Return the bytes of a TFMessage of (parent, child, stamp_ns, pose) tuples."""
    return bytes(jazzy().serialize_cdr(transforms(*frames), 'tf2_msgs/msg/TFMessage'))
