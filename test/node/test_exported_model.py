"""The live node with an exported model, in a process that cannot import PyTorch."""

from importlib.util import find_spec
import os
from pathlib import Path

import numpy as np
import pytest
from sensor_msgs.msg import Image

from flashdepth_ros.runtime import DepthEstimator
from support.network import MODEL, PRESET
from support.node_bench import depth_of, random_image, start_bench
from support.node_process import NodeProcess
from support.paths import ROOT

pytestmark = pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::FutureWarning')

ENGINES = ('onnxruntime', 'openvino') if MODEL else ('onnxruntime',)
STEP_NS = 30_000_000
WITHOUT_TORCH = os.pathsep.join((str(ROOT / 'test' / 'support' / 'without_torch'), str(ROOT)))


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    if MODEL:
        return Path(MODEL)
    pytest.importorskip('onnxscript')
    from support.exported_models import TARGET, exported

    return exported(tmp_path_factory.mktemp('exported'), target=TARGET)


@pytest.mark.skipif(not MODEL, reason='this environment is the one with PyTorch')
def test_environment_for_exported_models_has_no_pytorch():
    assert find_spec('torch') is None


@pytest.mark.parametrize('engine', ENGINES)
def test_node_without_pytorch_gives_the_depth_of_the_estimator(tmp_path, path, engine):
    pytest.importorskip(engine)
    options = {'model': PRESET, 'weights': path, 'engine': engine}
    estimator = DepthEstimator(PRESET, path, 'cpu', 'fp32', engine)
    environment = {} if MODEL else {'PYTHONPATH': WITHOUT_TORCH}
    with start_bench(tmp_path, environment=environment, target_rate=20.0, **options) as bench:
        depth = bench.subscribe('/depth/image', Image)
        images = bench.create_publisher()
        bench.connect(images, bench.image(random_image()), depth)
        for reset in (bench.reset, lambda: bench.next_stamp(10**10), bench.reconfigure):
            reset()
            estimator.reset()
            for index, rgb in enumerate(map(random_image, range(3))):
                received = bench.round_trip(images, bench.image(rgb), depth)
                expected = estimator.estimate(rgb, index * STEP_NS).depth
                np.testing.assert_allclose(depth_of(received), expected, rtol=1e-4)
        values = bench.summary()
        assert (values['engine'], values['device']) == (engine, 'cpu')
        assert (values['inference_size'], values['precision']) == ('154x112', 'fp32')
        wide = np.zeros((90, 320, 3), np.uint8)
        images.publish(bench.image(wide))
        bench.process.wait_for_line('does not have the shape of 154x112, the only size of')
        assert any('target_rate has no effect' in line for line in bench.process.warnings)
        assert not any('Traceback' in line for line in bench.process.lines)


def test_first_line_gives_the_purpose_that_the_file_tells(tmp_path, path):
    told = tmp_path / 'told.onnx'
    told.write_bytes(path.read_bytes() + metadata('purpose', 'for tests'))
    options = {'model': PRESET, 'weights': told, 'engine': 'onnxruntime'}
    with NodeProcess(tmp_path, **options) as process:
        process.wait_for_line(f'configured: {PRESET} (for tests), onnxruntime (CPU')


def metadata(key, value):
    """Return the bytes that, after an ONNX file, add an entry to its metadata."""
    fields = ((1, key.encode()), (2, value.encode()))
    entry = b''.join(bytes([number << 3 | 2, len(text)]) + text for number, text in fields)
    return bytes([14 << 3 | 2, len(entry)]) + entry
