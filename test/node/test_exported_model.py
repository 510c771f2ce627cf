"""The live node with an exported model, in a process that cannot import PyTorch."""

import os

import numpy as np
import pytest
from sensor_msgs.msg import Image

from flashdepth_ros.runtime import DepthEstimator
from support import exported_models
from support.node_bench import depth_of, random_image, start_bench
from support.paths import ROOT

pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::FutureWarning')

STEP_NS = 30_000_000
PATH = os.pathsep.join((str(ROOT / 'test' / 'support' / 'without_torch'), str(ROOT)))


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp('exported')
    return exported_models.exported(folder, target=exported_models.Target((154, 112), 'fp32', 1))


def test_node_without_pytorch_gives_the_depth_of_the_estimator(tmp_path, path):
    options = {'model': exported_models.PRESET, 'weights': path, 'engine': 'onnxruntime'}
    estimator = DepthEstimator(options['model'], path, 'cpu', engine='onnxruntime')
    environment = {'PYTHONPATH': f'{PATH}{os.pathsep}{os.environ.get("PYTHONPATH", "")}'}
    with start_bench(tmp_path, environment=environment, target_rate=20.0, **options) as bench:
        depth = bench.subscribe('/depth/image', Image)
        images = bench.create_publisher()
        bench.connect(images, bench.image(random_image()), depth)
        for reset in (bench.reset, lambda: bench.next_stamp(10**10)):
            reset()
            estimator.reset()
            for index, rgb in enumerate(map(random_image, range(3))):
                received = bench.round_trip(images, bench.image(rgb), depth)
                expected = estimator.estimate(rgb, index * STEP_NS).depth
                np.testing.assert_allclose(depth_of(received), expected, rtol=1e-4)
        values = bench.summary()
        assert (values['engine'], values['device']) == ('onnxruntime', 'cpu')
        assert (values['inference_size'], values['precision']) == ('154x112', 'fp32')
        wide = np.zeros((90, 320, 3), np.uint8)
        images.publish(bench.image(wide))
        bench.process.wait_for_line('does not have the shape of 154x112, the only size of')
        assert any('target_rate has no effect' in line for line in bench.process.warnings)
        assert not any('Traceback' in line for line in bench.process.lines)
