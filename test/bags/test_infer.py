"""`flashdepth infer`: the content of its bags, and that other tools can read them."""

import re

from mcap.reader import make_reader
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from flashdepth_ros.bags import BagReader, find_depth_topic, find_predicted_topic
from flashdepth_ros.camera.camera_info import read_intrinsics
from flashdepth_ros.cli import main
from flashdepth_ros.errors import BagError
from flashdepth_ros.messages import colorize, depth_data, read_depth, read_rgb
from flashdepth_ros.runtime import DepthEstimator, ResetReason
from flashdepth_ros.runtime.confidence import ConfidenceRater
from flashdepth_ros.runtime.sequence import SequencePosition
from support import recording_formats
from support.node_process import golden_weights
from support.recordings import LATER_NS, camera_messages, image, pattern, stamp_of, write

FRAMES, SIZE = 6, (70, 84)
MODEL = 'flashdepth-tiny-s'
TOPICS = ['/depth/image', '/depth/camera_info']
K = (60.0, 0.0, 42.0, 0.0, 60.0, 35.0, 0.0, 0.0, 1.0)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return golden_weights(tmp_path_factory.mktemp('weights'), MODEL)


@pytest.fixture
def bag(tmp_path):
    return write(tmp_path / 'bag', *camera_messages(FRAMES, SIZE))


@pytest.fixture
def infer(weights, tmp_path):
    """Run `flashdepth infer` on a bag; return the new bag."""

    def run(source, *options, out='out'):
        path = tmp_path / out
        model = ('--model', MODEL, '--weights', str(weights), '--engine', 'torch')
        assert main(['infer', str(source), '-o', str(path), *model, *options]) == 0
        return path

    return run


def read(path, topic=None):
    """Return the messages of a topic, or (topic, time) of all records."""
    with BagReader(path) as bag:
        if topic is None:
            return [(record.topic, record.stamp_ns) for record in bag.records()]
        return [bag.message(record) for record in bag.records(topic)]


def stamps(messages):
    return [each.header.stamp.sec * 10**9 + each.header.stamp.nanosec for each in messages]


def estimated(weights, **options):
    """Return the inverse depth of every frame, computed by the estimator directly."""
    estimator = DepthEstimator(MODEL, weights, engine='torch', **options)
    return [
        estimator.estimate(pattern(index, SIZE), stamp_of(index), 'camera', K).inverse_depth
        for index in range(FRAMES)
    ]


def test_every_frame_has_depth_with_the_same_stamp_and_frame_id(bag, infer, weights):
    path = infer(bag)
    recorded = [stamp_of(index) + LATER_NS for index in range(FRAMES)]
    assert read(path) == [(topic, time) for time in recorded for topic in TOPICS]
    depths = read(path, '/depth/image')
    assert stamps(depths) == [stamp_of(index) for index in range(FRAMES)]
    assert {(each.header.frame_id, each.encoding) for each in depths} == {('camera', '32FC1')}
    for message, inverse in zip(depths, estimated(weights), strict=True):
        known = (1 / inverse > 0.1) & (1 / inverse < 100)
        np.testing.assert_array_equal(read_depth(message)[known], (1 / inverse)[known])
        assert not np.isfinite(read_depth(message)[~known]).any()
        assert known.mean() > 0.5


def test_same_bag_gives_identical_files(bag, infer, tmp_path):
    first, second = (infer(bag, '--points', '--color', '--copy', out=f'{n}/out') for n in (1, 2))
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()
    assert len(list(first.iterdir())) == 2


def test_camera_info_matches_the_depth_image(bag, infer):
    path = infer(bag, '--depth-size', 'inference', '--short-side', '56')
    depths, infos = (read(path, topic) for topic in TOPICS)
    assert stamps(infos) == stamps(depths)
    for depth, camera_info in zip(depths, infos, strict=True):
        intrinsics = read_intrinsics(camera_info)
        assert (intrinsics.height, intrinsics.width) == (depth.height, depth.width) == (56, 70)
        assert (intrinsics.fx, intrinsics.fy) == (60 * 70 / 84, 60 * 56 / 70)
        assert camera_info.header.frame_id == depth.header.frame_id


def test_millimetre_depth_and_preview_show_the_same_depth(bag, infer, weights):
    options = ('--depth-scale', '2.5', '--depth-max', '8', '--color-max', '9', '--temporal', 'off')
    path = infer(bag, '--depth-encoding', '16UC1', '--color', *options, '--storage', 'sqlite3')
    pairs = zip(read(path, '/depth/image'), read(path, '/depth/image_color'), strict=True)
    for (millimetres, preview), inverse in zip(
        pairs, estimated(weights, temporal=False), strict=True
    ):
        depth = np.float32(2.5) / inverse
        depth[depth > 8] = np.inf
        depth[depth < 0.1] = -np.inf
        pixels = np.frombuffer(millimetres.data, np.uint16).reshape(SIZE)
        np.testing.assert_array_equal(pixels, depth_data(depth, '16UC1'))
        np.testing.assert_array_equal(read_rgb(preview), colorize(depth, 0.5, 9.0))


def test_points_match_depth_and_camera_info(bag, infer):
    path = infer(bag, '--points', '--points-stride', '3')
    clouds, depths = read(path, '/points'), read(path, '/depth/image')
    assert stamps(clouds) == stamps(depths)
    for index, (cloud, message) in enumerate(zip(clouds, depths, strict=True)):
        points = np.frombuffer(cloud.data, np.float32).reshape(cloud.height, cloud.width, -1)
        assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'rgb']
        depth = read_depth(message)[::3, ::3]
        rows, columns = np.mgrid[0:70:3, 0:84:3]
        known = np.isfinite(depth)
        expected = np.stack(
            ((columns - 41.5) / 60 * depth, (rows - 34.5) / 60 * depth, depth), axis=-1
        )
        np.testing.assert_allclose(points[known][:, :3], expected[known], rtol=1e-5, atol=1e-6)
        assert np.isnan(points[~known][:, :3]).all()
        colours = points[..., 3].copy().view(np.uint8).reshape(*depth.shape, 4)[..., 2::-1]
        np.testing.assert_array_equal(colours, pattern(index, SIZE)[::3, ::3])


def test_confidence_is_written_and_filters_the_points(bag, infer, weights):
    path = infer(bag, '--confidence', '--points', '--points-min-confidence', '0.4')
    rater, clouds = ConfidenceRater(), read(path, '/points')
    messages = read(path, '/depth/confidence')
    assert stamps(messages) == stamps(clouds)
    shares = []
    for number, (message, cloud, inverse) in enumerate(
        zip(messages, clouds, estimated(weights), strict=True)
    ):
        expected = rater.rate(inverse, SequencePosition(0, number, ResetReason.NONE))
        np.testing.assert_array_equal(read_depth(message), expected)
        points = np.frombuffer(cloud.data, np.float32).reshape(cloud.height, cloud.width, -1)
        doubtful = expected[::4, ::4] < 0.4
        assert np.isnan(points[doubtful][:, 2]).all()
        shares.append(doubtful.mean())
    assert 0 < np.mean(shares) < 1


@pytest.mark.parametrize('compress', [[], ['--compress']])
def test_mcap_library_reads_the_bag_with_its_embedded_definitions(bag, infer, compress):
    path = infer(bag, '--points', '--color', '--copy', *compress)
    with (path / 'out.mcap').open('rb') as file:
        reader = make_reader(file, validate_crcs=True)
        kinds = {each.name: each for each in reader.get_summary().schemas.values()}
        assert {'sensor_msgs/msg/Image', 'sensor_msgs/msg/PointCloud2'} <= set(kinds)
        assert all(each.encoding == 'ros2msg' and each.data for each in kinds.values())
        messages = [(c.topic, m.log_time) for _, c, m in reader.iter_messages()]
    assert len(messages) == 6 * FRAMES
    assert {time for _, time in messages} == {stamp_of(n) + LATER_NS for n in range(FRAMES)}


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_rosbags_reads_the_bag_with_its_embedded_definitions(bag, infer, storage):
    path = infer(bag, '--points', '--storage', storage)
    with AnyReader([path]) as reader:
        messages = [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages()]
    assert len(messages) == 3 * FRAMES
    assert {each.header.frame_id for each in messages} == {'camera'}


def test_original_topics_are_copied_unchanged_and_in_order(bag, infer):
    with BagReader(bag) as source:
        originals = list(source.records())
    path = infer(bag, '--copy')
    with BagReader(path) as copy:
        assert [each for each in copy.records() if each.topic not in TOPICS] == originals
    some = infer(bag, '--copy', '/cam/camera_info', out='some')
    assert {topic for topic, _ in read(some)} == {*TOPICS, '/cam/camera_info'}


def test_the_summary_has_the_rate(bag, infer, capsys):
    infer(bag)
    rate = float(capsys.readouterr().out.split(' frames/s')[0].split()[-1])
    assert rate > 0.1


def test_conflicting_topics_need_a_namespace(bag, infer, tmp_path, capsys):
    once = infer(bag, '--copy')
    command = ['infer', str(once), '-o', str(tmp_path / 'no'), '--topic', '/cam/image_raw']
    assert main([*command, '--copy']) == 1
    assert 'has the topic /depth/camera_info; give --namespace' in capsys.readouterr().err
    twice = infer(once, '--topic', '/cam/image_raw', '--copy', '--namespace', '/b/', out='twice')
    topics = {topic for topic, _ in read(twice)}
    assert topics == {'/cam/image_raw', '/cam/camera_info', *TOPICS, *(f'/b{t}' for t in TOPICS)}


def test_written_depth_is_distinguished_from_true_depth(infer, tmp_path):
    true_depth = image(0, encoding='16UC1', step=16, data=np.ones((6, 16), np.uint8))
    messages = [*camera_messages(FRAMES, SIZE), ('/cam/depth', true_depth)]
    once = infer(write(tmp_path / 'truth', *messages), '--copy', '--confidence')
    twice = infer(once, '--topic', '/cam/image_raw', '--namespace', 'b', out='twice')
    with BagReader(once) as first, BagReader(twice) as second:
        assert find_predicted_topic(first).name == '/depth/image'
        assert find_depth_topic(first).name == '/cam/depth'
        assert find_depth_topic(first, '/depth/image').name == '/depth/image'
        assert find_predicted_topic(second).name == '/b/depth/image'
    with BagReader(once / 'out.mcap') as without_metadata:
        option = re.escape('--predictions BAG,topic=NAME')
        with pytest.raises(BagError, match=option):
            find_predicted_topic(without_metadata)


@pytest.mark.parametrize('namespace', ['a b', '1a', 'a//b', '/a/-', 'a' * 60 + ' b'])
def test_namespace_that_ros_does_not_allow_is_refused(bag, tmp_path, capsys, namespace):
    assert main(['infer', str(bag), '-o', str(tmp_path / 'out'), '--namespace', namespace]) == 1
    assert 'ROS allows letters, digits' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('write_as', 'options'),
    [
        (recording_formats.ros1, ['']),
        (recording_formats.ros1, ['BZ2']),
        (recording_formats.ros1, ['LZ4']),
        (recording_formats.ros2, ['SQLITE3', 'NONE']),
        (recording_formats.ros2, ['SQLITE3', 'MESSAGE']),
        (recording_formats.ros2, ['SQLITE3', 'FILE']),
        (recording_formats.ros2, ['MCAP', 'STORAGE']),
        (recording_formats.ros2, ['MCAP', 'MESSAGE']),
        (recording_formats.ros2, ['MCAP', 'FILE']),
        (recording_formats.mcap_file, ['LZ4']),
        (recording_formats.mcap_file, ['ZSTD']),
    ],
)
def test_depth_does_not_depend_on_the_recording_format(
    bag, infer, reference, tmp_path, write_as, options
):
    with BagReader(bag) as source:
        converted = write_as(tmp_path / 'converted', source.records(), *options)
    with BagReader(infer(converted)) as result:
        assert list(result.records()) == reference


@pytest.fixture(scope='module')
def reference(weights, tmp_path_factory):
    """Return the records inferred from the recording that this package writes."""
    folder = tmp_path_factory.mktemp('reference')
    bag = write(folder / 'bag', *camera_messages(FRAMES, SIZE))
    model = ('--model', MODEL, '--weights', str(weights), '--engine', 'torch')
    assert main(['infer', str(bag), '-o', str(folder / 'out'), *model]) == 0
    with BagReader(folder / 'out') as result:
        return list(result.records())


def test_benchmark_compares_infer_with_the_estimator_alone(weights, capsys):
    command = ['bench', '--infer', '--frames', '12', '--size', '56x42', '--model', MODEL]
    assert main([*command, '--weights', str(weights)]) == 0
    title, *rows = capsys.readouterr().out.splitlines()
    assert title == f'{MODEL}, 12 frames of 56x42'
    alone, infer, memory, _ = (float(re.search(r'\d+\.?\d*', row)[0]) for row in rows)
    assert infer == pytest.approx(alone * float(re.search(r'([\d.]+) %', rows[1])[1]) / 100, 0.05)
    assert memory > 100
    assert main([*command, '--weights', str(weights), '--frames', '3']) == 1
    assert '3 frames are too few' in capsys.readouterr().err
