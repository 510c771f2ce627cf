"""Which topics are suggested, between real nodes."""

from diagnostic_msgs.msg import DiagnosticArray
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from flashdepth_ros.ros.image_topics import (
    ImageStream,
    camera_info_beside,
    camera_info_topics,
    image_streams,
    rank,
)

BOTH = ImageStream('/cam/image', raw=True, compressed='/cam/image/compressed')
RAW = ImageStream('/cam/image', raw=True, compressed='')
COMPRESSED = ImageStream('/cam/image', raw=False, compressed='/cam/image/compressed')
ODD_NAME = ImageStream('/cam/jpeg', raw=False, compressed='/cam/jpeg')
TO_RAW = '-r image:=/cam/image'
TO_COMPRESSED = '-r image:=/cam/image -p image_transport:=compressed'


@pytest.mark.parametrize(
    ('stream', 'topic', 'compressed', 'expected'),
    [
        (RAW, '/image', False, TO_RAW),
        (RAW, '/image/compressed', True, f'{TO_RAW} -p image_transport:=raw'),
        (RAW, '/cam/image', True, f'{TO_RAW} -p image_transport:=raw'),
        (COMPRESSED, '/image', False, TO_COMPRESSED),
        (COMPRESSED, '/cam/image/compressed', False, TO_COMPRESSED),
        (COMPRESSED, '/image/compressed', True, TO_COMPRESSED),
        (BOTH, '/image', False, TO_RAW),
        (BOTH, '/image/compressed', True, TO_COMPRESSED),
        (BOTH, '/cam/image/compressed', False, TO_COMPRESSED),
        (BOTH, '/cam/image', True, f'{TO_RAW} -p image_transport:=raw'),
        (
            ODD_NAME,
            '/image',
            False,
            '-r image/compressed:=/cam/jpeg -p image_transport:=compressed',
        ),
    ],
)
def test_arguments_keep_what_the_user_has_chosen(stream, topic, compressed, expected):
    assert stream.arguments(topic, compressed) == expected


@pytest.mark.parametrize('colour', ['/b/color/image_raw', '/b/rgb/image', '/b/left/image_raw'])
@pytest.mark.parametrize(
    'other',
    [
        '/a/depth/image_raw',
        '/a/infra1/image_rect_raw',
        '/a/ir/image_raw',
        '/a/confidence_map',
        '/a/mask_image',
        '/a/aligned_depth_to_color/image_raw',
        '/depth/image_color',
    ],
)
def test_colour_comes_before_what_is_no_colour(colour, other):
    usual = '/b/image_raw'
    assert sorted([other, usual, colour], key=rank) == [colour, usual, other]
    assert sorted([other, '/b/first/image', usual], key=rank) == [usual, '/b/first/image', other]


def test_published_streams_are_found(graph):
    node, camera = graph.node('depth'), graph.node('camera')
    node.create_publisher(Image, 'own/image', 1)
    node.create_subscription(Image, 'nobody/image_raw', print, 1)
    for topic, kind in (
        ('a/image_raw/compressed', CompressedImage),
        ('a/image_raw/compressedDepth', CompressedImage),
        ('a/image_raw/zstd', CompressedImage),
        ('b/image_raw', Image),
        ('b/image_raw/compressed', CompressedImage),
        ('c/jpeg', CompressedImage),
        ('c/camera_info', CameraInfo),
    ):
        camera.create_publisher(kind, topic, 1)
    graph.spin_until(lambda: node.count_publishers('/c/camera_info'))
    assert image_streams(node) == [
        ImageStream('/b/image_raw', raw=True, compressed='/b/image_raw/compressed'),
        ImageStream('/a/image_raw', raw=False, compressed='/a/image_raw/compressed'),
        ImageStream('/c/jpeg', raw=False, compressed='/c/jpeg'),
    ]


def test_depth_nodes_are_known_by_their_timing(graph):
    doctor, camera = graph.node('doctor'), graph.node('camera')
    for name, timing in (('one', '~/timing'), ('two', '~/left/timing')):
        depth = graph.node(name)
        depth.create_publisher(DiagnosticArray, timing, 1)
        depth.create_publisher(Image, f'/{name}/depth/image', 1)
    # Not its own: another node's, and another type.
    camera.create_publisher(DiagnosticArray, '/one/timing', 1)
    camera.create_publisher(Image, '~/timing', 1)
    camera.create_publisher(Image, '/one/depth/image', 1)
    graph.spin_until(lambda: doctor.count_publishers('/one/depth/image') == 2)
    graph.spin_until(lambda: doctor.count_publishers('/camera/timing'))
    graph.spin_until(lambda: doctor.count_publishers('/two/left/timing'))
    streams = {each.topic for each in image_streams(doctor)}
    assert streams == {'/one/depth/image', '/camera/timing'}


@pytest.mark.parametrize(
    'image', ['/cam/color/image_raw', '/cam/color/image_raw/compressed', '/cam/color/jpeg']
)
def test_camera_info_beside_the_image_topic_comes_first(graph, image):
    assert camera_info_beside(image) == '/cam/color/camera_info'
    node, camera = graph.node('depth'), graph.node('camera')
    node.create_publisher(CameraInfo, 'depth/camera_info', 1)
    topics = [
        '/cam/color/camera_info',
        '/cam/left/camera_info',
        '/cam/depth/camera_info',
        '/another/camera_info',
    ]
    for topic in reversed(topics):
        camera.create_publisher(CameraInfo, topic, 1)
    graph.spin_until(lambda: len(camera_info_topics(node, image)) == len(topics))
    assert camera_info_topics(node, image) == topics
