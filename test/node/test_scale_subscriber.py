"""The topics of the references, also of one camera among several."""

import pytest

from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.scale_subscriber import ScaleSubscriber
from flashdepth_ros.ros.transport import choose_transport

TOPICS = ['depth', 'depth/compressedDepth', 'camera_info', 'points', 'scan']


@pytest.mark.parametrize(('camera', 'namespace'), [('', ''), ('left', '/left')])
def test_topics_are_relative_to_the_name_of_the_camera(graph, camera, namespace):
    node = graph.node('depth')
    scale = ScaleSubscriber(CameraScope(node, camera), choose_transport(node.get_logger()))
    assert list(scale.topics) == [f'{namespace}/scale/{name}' for name in TOPICS]
    before = {each.topic_name for each in node.subscriptions}
    for source, expected in (('depth', {'depth', 'camera_info'}), ('points', {'points', 'scan'})):
        scale.open(Parameters(scale_source=source))
        opened = {each.topic_name for each in node.subscriptions} - before
        opened = {topic for topic in opened if not topic.startswith('/tf')}
        assert opened == {f'{namespace}/scale/{name}' for name in expected}
        scale.close()
        assert {each.topic_name for each in node.subscriptions} == before
    assert scale.diagnostics['scale_source'] == 'none'
