"""Write bags in every supported format and read them back."""

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from flashdepth_ros.bags import (
    BagReader,
    BagWriter,
    build_message,
    find_depth_topic,
    find_image_topic,
    find_topic,
    header,
)
from flashdepth_ros.errors import BagError, InputError

IMAGE = 'sensor_msgs/msg/Image'
STEP_NS = 10**8
KINDS = [
    pytest.param({'storage': storage, 'compress': compress}, id=f'{storage}-{compress}')
    for storage in ('mcap', 'sqlite3')
    for compress in (False, True)
]


def image(index, encoding='rgb8'):
    data = np.arange(18, dtype=np.uint8) + index
    return build_message(
        IMAGE,
        header=header(7 * 10**9 + index * STEP_NS, 'camera'),
        height=2,
        width=3,
        encoding=encoding,
        step=9,
        data=data.tobytes(),
    )


def write_images(path, topics=('/image',), encoding='rgb8', **options):
    with BagWriter(path, **options) as bag:
        for index in range(5):
            for topic in topics:
                bag.write(topic, image(index, encoding), index * STEP_NS)
    return path


@pytest.fixture
def ros1_bag(tmp_path):
    store, path = get_typestore(Stores.ROS1_NOETIC), tmp_path / 'old.bag'
    store.register(get_types_from_msg('Header header\nfloat32[] speeds', 'robot_msgs/msg/Wheels'))
    stamp = store.types['builtin_interfaces/msg/Time'](7, 5)
    head = store.types['std_msgs/msg/Header'](3, stamp, 'camera')
    region = store.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    messages = {
        '/image': store.types[IMAGE](head, 2, 3, 'rgb8', 0, 9, np.arange(18, dtype=np.uint8)),
        '/camera_info': store.types['sensor_msgs/msg/CameraInfo'](
            head, 2, 3, 'plumb_bob', np.zeros(5), *map(np.arange, (9.0, 9.0, 12.0)), 0, 0, region
        ),
        '/wheels': store.types['robot_msgs/msg/Wheels'](head, np.array([1.5], np.float32)),
    }
    with Ros1Writer(path) as bag:
        for index, (topic, message) in enumerate(messages.items()):
            kind = message.__msgtype__
            connection = bag.add_connection(topic, kind, typestore=store, latching=index)
            bag.write(connection, index * STEP_NS, store.serialize_ros1(message, kind))
    return path


@pytest.mark.parametrize('options', KINDS)
def test_written_messages_are_read_back(tmp_path, options):
    path = write_images(tmp_path / 'bag', ('/image', '/other'), **options)
    with BagReader(path) as bag:
        assert [(t.name, t.type, t.count) for t in bag.topics] == [
            ('/image', IMAGE, 5),
            ('/other', IMAGE, 5),
        ]
        assert bag.duration_ns == 4 * STEP_NS
        records = list(bag.records('/image'))
        assert [r.stamp_ns for r in records] == [i * STEP_NS for i in range(5)]
        stamps = [7 * 10**9 + i * STEP_NS for i in range(5)]
        assert [bag.header_stamp_ns(r) for r in records] == stamps
        for index, record in enumerate(records):
            np.testing.assert_array_equal(bag.message(record).data, image(index).data)
        assert len(list(bag.records())) == 10


@pytest.mark.parametrize('options', KINDS)
def test_rosbags_reads_the_bag_with_its_embedded_definitions(tmp_path, options):
    with AnyReader([write_images(tmp_path / 'bag', **options)]) as bag:
        messages = [bag.deserialize(data, c.msgtype) for c, _, data in bag.messages()]
    assert [m.data[0] for m in messages] == [0, 1, 2, 3, 4]
    assert {m.header.frame_id for m in messages} == {'camera'}


@pytest.mark.parametrize('options', KINDS)
def test_same_messages_give_identical_files(tmp_path, options):
    first, second = (write_images(tmp_path / side / 'bag', **options) for side in 'ab')
    files = sorted(p.name for p in first.iterdir())
    assert files == sorted(p.name for p in second.iterdir())
    for name in files:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_ros1_records_are_converted_to_ros2_messages(ros1_bag):
    with BagReader(ros1_bag) as bag:
        assert [(t.name, t.count, t.latched) for t in bag.topics] == [
            ('/image', 1, False),
            ('/camera_info', 1, True),
            ('/wheels', 1, True),
        ]
        image_record, info, wheels = bag.records()
        assert [bag.header_stamp_ns(r) for r in (image_record, info, wheels)] == [
            7 * 10**9 + 5
        ] * 3
        np.testing.assert_array_equal(bag.message(image_record).data, np.arange(18))
        np.testing.assert_array_equal(bag.message(info).p, np.arange(12.0))
        assert bag.message(wheels).speeds == np.float32(1.5)
        store = get_typestore(Stores.ROS2_JAZZY)
        assert store.deserialize_cdr(image_record.data, IMAGE).header.frame_id == 'camera'


def test_topics_of_custom_types_are_copied_with_their_definitions(ros1_bag, tmp_path):
    with BagReader(ros1_bag) as old, BagWriter(tmp_path / 'new') as new:
        for topic in old.topics:
            new.add_topic(topic.name, topic.type, old.typestore(topic.type), topic.latched)
        for record in old.records():
            new.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
    with BagReader(tmp_path / 'new') as bag:
        assert [t.latched for t in bag.topics] == [False, True, True]
        assert [bag.message(r).header.frame_id for r in bag.records()] == ['camera'] * 3


def test_messages_are_built_from_plain_values():
    cloud = build_message(
        'sensor_msgs/msg/PointCloud2',
        header=header(1_500_000_000, 'lidar'),
        fields=[{'name': 'x', 'datatype': 7, 'count': 1}],
        data=np.zeros(4, np.uint8),
    )
    assert (cloud.header.stamp.sec, cloud.header.stamp.nanosec) == (1, 500_000_000)
    assert (cloud.fields[0].name, cloud.fields[0].offset, cloud.is_dense) == ('x', 0, False)
    transform = {'header': header(0, 'map'), 'transform': {'rotation': {'w': 1.0}}}
    message = build_message('tf2_msgs/msg/TFMessage', transforms=[transform])
    assert message.transforms[0].transform.rotation.w == 1.0
    with pytest.raises(InputError, match=r"no field 'hight'; it has header, height"):
        build_message(IMAGE, hight=3)
    with pytest.raises(InputError, match='k has 3 elements; expected exactly 9'):
        build_message('sensor_msgs/msg/CameraInfo', k=[1, 2, 3])
    with pytest.raises(InputError, match='give the full name'):
        build_message('Image')


def test_single_image_topic_is_found_next_to_depth_topics(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write('/camera', image(0), 0)
        bag.write('/depth', image(0, '32FC1'), 0)
        packed = build_message('sensor_msgs/msg/CompressedImage', format='16UC1; compressedDepth')
        bag.write('/depth/packed', packed, 0)
        bag.add_topic('/silent', IMAGE)
    with BagReader(tmp_path / 'bag') as bag:
        assert find_image_topic(bag).name == '/camera'
        assert find_depth_topic(bag).name == '/depth'
        assert find_image_topic(bag, 'depth').name == '/depth'
        with pytest.raises(BagError, match=r"no topic '/cam'; the bag has /camera \(sensor"):
            find_image_topic(bag, '/cam')
        with pytest.raises(BagError, match=r'/silent \(.*, 0 messages\) cannot be used'):
            find_image_topic(bag, '/silent')
        with pytest.raises(BagError, match=r'no matching topic of type nav_msgs/msg/Odometry'):
            find_topic(bag, ['nav_msgs/msg/Odometry'])


def test_several_matching_topics_are_listed(tmp_path):
    path = write_images(tmp_path / 'bag', ('/left', '/right'))
    expected = r'2 topics match, select one by name \(--topic\): /left \(.*, 5 messages\), /right'
    with BagReader(path) as bag, pytest.raises(BagError, match=expected):
        find_image_topic(bag)


def test_existing_bag_is_replaced_only_with_overwrite(tmp_path):
    path = write_images(tmp_path / 'bag', ('/first',))
    with pytest.raises(BagError, match='already exists'), BagWriter(path):
        pass
    write_images(path, ('/second',), overwrite=True)
    with BagReader(path) as bag:
        assert [t.name for t in bag.topics] == ['/second']
    assert list(tmp_path.iterdir()) == [path]
    with (
        pytest.raises(BagError, match='is not a rosbag2 folder'),
        BagWriter(tmp_path, overwrite=True),
    ):
        pass
