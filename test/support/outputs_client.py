"""Receives what `Outputs` publishes, without estimator and threads."""

from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.outputs import Outputs
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.ros.transport import choose_transport
from flashdepth_ros.runtime import DepthFrame, ResetReason
from flashdepth_ros.runtime.depth_frame import StageTimes
from flashdepth_ros.runtime.sequence import SequencePosition
from support.ros_graph import best_effort_input

TYPES = {'points': PointCloud2, 'depth/camera_info': CameraInfo}


class OutputsClient:
    """Publishes one inverse depth as the frames of a sequence, and receives the outputs."""

    def __init__(self, graph, inverse_depth, source):
        self._graph, self._inverse_depth, self._source = graph, inverse_depth, source
        node = graph.node('depth')
        self.outputs = Outputs(CameraScope(node), choose_transport(node.get_logger()))
        self._client = graph.node('client')
        self.received = {}
        self.number = 0

    def receive(self, *topics, **parameters):
        """Publish frames until each topic has arrived anew; return the last messages."""
        for topic in topics:
            if topic not in self.received:
                self._subscribe(topic)
            self.received[topic].clear()

        def publish_until_all_are_there():
            self.publish(**parameters)
            return all(self.received[topic] for topic in topics)

        self._graph.spin_until(publish_until_all_are_there)
        return [self.received[topic][-1] for topic in topics]

    def publish(self, **parameters):
        position = SequencePosition(0, self.number, ResetReason.NONE)
        frame = DepthFrame(self._inverse_depth, position, StageTimes(1, 2, 3))
        settings = Parameters(**parameters)
        self.outputs.publish(frame, self._source, settings, settings.start_scale)
        self.number += 1

    def _subscribe(self, topic):
        kind = TYPES.get(topic, CompressedImage if 'compressed' in topic else Image)
        messages = self.received[topic] = []
        what = best_effort_input(kind, topic)
        self._client.create_subscription(kind, topic, messages.append, what.qos)
