"""What recorders leave: no index, no end, another log beside, odd topics; all of it is read."""

from contextlib import closing
import shutil
import sqlite3

from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter
import numpy as np
import pytest
import yaml

from flashdepth_ros.bags import BagReader, BagWriter, find_image_topic
from flashdepth_ros.bags.build import jazzy
from flashdepth_ros.errors import BagError
from support.recordings import compressed, image, write

IMAGE = 'sensor_msgs/msg/Image'
COUNT = 20
NOISE = np.random.default_rng(2).integers(0, 256, (COUNT, 40, 60, 3), np.uint8)
DEFINITION = jazzy().generate_msgdef(IMAGE, ros_version=2)[0].encode()


def messages():
    return [image(index, rgb) for index, rgb in enumerate(NOISE)]


def write_mcap(path, schemas=(), profile='ros2', **options):
    """Write the images as one MCAP file with other topics beside, in small chunks."""
    options = {'chunk_size': 20_000, 'compression': CompressionType.ZSTD} | options
    with path.open('wb') as file:
        writer = McapWriter(file, **options)
        writer.start(profile, 'test')
        schema = writer.register_schema(IMAGE, 'ros2msg', DEFINITION)
        channel = writer.register_channel('/cam', 'cdr', schema)
        others = [
            writer.register_channel(topic, encoding, writer.register_schema(*schema))
            for topic, encoding, *schema in schemas
        ]
        for index, each in enumerate(messages()):
            data = bytes(jazzy().serialize_cdr(each, IMAGE))
            writer.add_message(channel, index, data, index)
            for other in others:
                writer.add_message(other, index, b'{}', index)
        writer.finish()
    return path


def read(path, *topics):
    """Return the times of the decoded images, and the error that follows them."""
    stamps, error = [], ''
    try:
        with BagReader(path) as bag:
            for record in bag.records(*topics):
                if record.type == IMAGE:
                    assert bag.message(record).height == 40
                    stamps.append(record.stamp_ns)
    except BagError as caught:
        error = str(caught)
        assert '\n' not in error
    return stamps, error


@pytest.mark.parametrize('compression', CompressionType, ids=lambda each: each.name)
@pytest.mark.parametrize(
    'options',
    [
        {'use_chunking': False, 'index_types': IndexType.NONE, 'use_statistics': False},
        {'index_types': IndexType.NONE},
        {'index_types': IndexType.CHUNK},
        {'index_types': IndexType.NONE, 'use_statistics': False, 'repeat_channels': False},
        {'repeat_channels': False, 'repeat_schemas': False, 'use_statistics': False},
    ],
    ids=['fastwrite', 'no index', 'no message index', 'no summary', 'channels in chunks'],
)
def test_no_index_is_needed(tmp_path, compression, options):
    path = write_mcap(tmp_path / 'a.mcap', compression=compression, **options)
    assert read(path) == (list(range(COUNT)), '')


@pytest.mark.parametrize('chunked', [True, False])
@pytest.mark.parametrize('share', [0.2, 0.6, 0.97, 0.999])
def test_what_a_killed_recorder_left_is_read_and_the_rest_is_not_silent(tmp_path, chunked, share):
    folder = tmp_path / 'bag'
    folder.mkdir()
    file = write_mcap(folder / 'bag.mcap', use_chunking=chunked)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    stamps, error = read(folder)
    assert stamps == list(range(len(stamps)))
    assert len(stamps) >= int(share * COUNT) - 1
    assert 'it has no metadata.yaml' in error
    assert 'the file is not finished' in error
    assert read(file)[0] == stamps


def test_a_chunk_that_ends_early_is_read_as_far_as_it_goes(tmp_path):
    file = write_mcap(tmp_path / 'a.mcap', chunk_size=10**7, compression=CompressionType.ZSTD)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    stamps, error = read(file)
    assert COUNT // 4 < len(stamps) < COUNT
    assert 'not finished' in error


def test_damage_takes_only_the_chunks_it_is_in(tmp_path):
    file = write_mcap(tmp_path / 'a.mcap')
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 50] = bytes(50)
    file.write_bytes(content)
    stamps, error = read(file)
    assert COUNT - 6 <= len(stamps) < COUNT
    assert {0, COUNT - 1} <= set(stamps)
    assert f'{len(stamps)} of the {COUNT} messages on /cam can be read' in error


@pytest.mark.parametrize('change', ['qos', 'missing', 'more', 'broken'])
def test_metadata_are_not_taken_for_the_recording(tmp_path, change):
    path = write(tmp_path / 'bag', *(('/cam', each) for each in messages()))
    file = path / 'metadata.yaml'
    content = yaml.safe_load(file.read_text())
    topics = content['rosbag2_bagfile_information']['topics_with_message_count']
    if change == 'qos':
        topics[0]['topic_metadata']['offered_qos_profiles'] = '- history: 3\n  depth: 0'
    elif change == 'missing':
        topics.clear()
    elif change == 'more':
        topics[0]['message_count'] = COUNT + 3
    file.write_text('{' if change == 'broken' else yaml.dump(content))
    stamps, error = read(path)
    assert len(stamps) == COUNT
    assert (error == '') == (change in ('qos', 'missing'))
    if change == 'more':
        assert f'{COUNT} of the {COUNT + 3} messages on /cam can be read' in error


def test_a_file_that_metadata_list_and_is_missing_is_not_silent(tmp_path):
    path = write(tmp_path / 'bag', *(('/cam', each) for each in messages()))
    file = path / 'metadata.yaml'
    file.write_text(file.read_text().replace('- bag.mcap', '- bag.mcap\n  - bag_1.mcap', 1))
    stamps, error = read(path)
    assert len(stamps) == COUNT
    assert 'bag_1.mcap, which metadata.yaml lists, is missing' in error


def test_files_of_a_split_recording_are_read_in_the_order_of_time(tmp_path):
    for index in (1, 0):
        part = tmp_path / f'part_{index}'
        half = messages()[10 * index :][:10]
        write(part, *(('/cam', each) for each in half))
        (tmp_path / 'bag').mkdir(exist_ok=True)
        shutil.copy(part / f'part_{index}.mcap', tmp_path / 'bag')
    stamps, _ = read(tmp_path / 'bag')
    assert len(stamps) == COUNT
    assert stamps == sorted(stamps)


def test_a_write_ahead_log_beside_the_database_is_read(tmp_path):
    path = write(tmp_path / 'bag', *(('/cam', each) for each in messages()), storage='sqlite3')
    with closing(sqlite3.connect(path / 'bag.db3')) as database:
        database.execute('PRAGMA journal_mode=WAL')
        database.execute('PRAGMA wal_autocheckpoint=0')
        database.execute(
            'INSERT INTO messages SELECT id + 100, topic_id, timestamp + 1, data FROM messages'
        )
        database.commit()
        copy = tmp_path / 'copy'
        copy.mkdir()
        for file in path.glob('bag.db3*'):
            shutil.copy(file, copy)
    assert (copy / 'bag.db3-wal').stat().st_size
    assert len(read(copy / 'bag.db3')[0]) == 2 * COUNT


def test_a_damaged_page_of_a_database_takes_only_what_is_in_it(tmp_path):
    path = write(tmp_path / 'bag', *(('/cam', each) for each in messages()), storage='sqlite3')
    file = path / 'bag.db3'
    content = bytearray(file.read_bytes())
    page = 4096 * (len(content) // 4096 // 2)
    content[page : page + 4096] = b'\xff' * 4096
    file.write_bytes(content)
    stamps, error = read(path)
    assert len(stamps) >= COUNT - 3 or error
    assert len(stamps) > COUNT // 2


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('name', ['run#3', 'a?b', '50%41', "it's", 'two words', 'größe'])
def test_any_name_of_a_folder_will_do(tmp_path, storage, name):
    path = tmp_path / name / name
    write(path, *(('/cam', each) for each in messages()[:3]), storage=storage)
    assert sorted(each.name for each in (tmp_path / name).iterdir()) == [name]
    assert len(read(path)[0]) == 3


def test_topics_that_cannot_be_decoded_do_not_shut_the_recording(tmp_path):
    latin = DEFINITION.replace(b'# ', b'# \xe4 ', 1)
    schemas = [
        ('/nav/_action/feedback', 'cdr', 'nav2_msgs/action/Nav_FeedbackMessage', 'unknown', b''),
        ('/nav/_service_event', 'cdr', 'robot_msgs/srv/Go_Event', 'ros2msg', b'other/Missing x'),
        ('/json', 'json', 'robot/Json', 'jsonschema', b'{}'),
        ('/latin', 'cdr', 'robot_msgs/msg/Latin', 'ros2msg', latin),
    ]
    path = write_mcap(tmp_path / 'a.mcap', schemas, profile='')
    assert read(path, '/cam') == (list(range(COUNT)), '')
    with BagReader(path) as bag:
        assert {topic.name for topic in bag.undecodable} == {'/nav/_action/feedback', '/json'}
        assert len(list(bag.records())) == 5 * COUNT
        assert 'encoding' in dict(
            bag.typestore('robot_msgs/msg/Latin').fielddefs['robot_msgs/msg/Latin'][1]
        )
        for type_name in ('nav2_msgs/action/Nav_FeedbackMessage', 'robot_msgs/srv/Go_Event'):
            with pytest.raises(BagError, match=f'message type {type_name!r}'):
                bag.typestore(type_name)


def test_a_compressed_file_is_read_as_far_as_it_goes(tmp_path):
    import zstandard

    file = write_mcap(tmp_path / 'a.mcap', compression=CompressionType.NONE)
    content = zstandard.ZstdCompressor().compress(file.read_bytes())
    packed = tmp_path / 'a.mcap.zstd'
    packed.write_bytes(content)
    assert read(packed) == (list(range(COUNT)), '')
    packed.write_bytes(content[: len(content) // 2])
    stamps, error = read(packed)
    assert COUNT // 4 < len(stamps) < COUNT
    assert error


def test_what_is_no_recording_is_said_in_one_line(tmp_path):
    for name, content in [
        ('a.mcap', b''),
        ('b.mcap', b'text'),
        ('c.db3', b'text' * 999),
        ('d.bag', b''),
        ('e.txt', b'x'),
    ]:
        (tmp_path / name).write_bytes(content)
        stamps, error = read(tmp_path / name)
        assert stamps == []
        assert f'{name}: ' in error
    (tmp_path / 'folder').mkdir()
    assert 'no .mcap or .db3 file' in read(tmp_path / 'folder')[1]
    with BagWriter(tmp_path / 'none') as bag:
        bag.add_topic('/cam', IMAGE)
    assert 'holds no messages' in read(tmp_path / 'none')[1]


def test_a_compressed_copy_is_not_another_image(tmp_path):
    messages = ('/cam/image', image(0)), ('/cam/image/compressed', compressed(0))
    with BagReader(write(tmp_path / 'bag', *messages)) as bag:
        assert find_image_topic(bag).name == '/cam/image'
