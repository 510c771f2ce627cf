from copy import deepcopy

import numpy as np
import pytest
import torch

from flashdepth_ros.network import create_model, load_weights, window
from flashdepth_ros.runtime.engines.graph_engine import GraphEngine
from flashdepth_ros.runtime.preprocess import normalise_on_cpu, resize_on_cpu
from support import golden_models, golden_recipe

TOLERANCE = 1e-4
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA GPU')
DEVICES = pytest.mark.parametrize('device', ['cpu', pytest.param('cuda', marks=NO_GPU)])


def runner(model, device):
    """Return the model on the CPU, or what runs it in captured graphs, in IEEE float32."""
    if device == 'cpu':
        return model
    run = GraphEngine(deepcopy(model), torch.device(device, 0), 'fp32').run

    def run_on_gpu(frame, state):
        inverse_depth, state = run(frame.to(device), state)
        return inverse_depth.cpu(), state

    return run_on_gpu


@DEVICES
@pytest.mark.parametrize(
    ('vectors', 'preset', 'keys'),
    [('s_182x252', 'flashdepth-s', 's'), ('full_518x602', 'flashdepth-full', 'full')],
)
def test_outputs_match_the_golden_vectors(vectors, preset, keys, device):
    model = create_model(preset)
    load_weights(model, golden_models.released_entries(keys))
    run = runner(model, device)
    golden = np.load(golden_models.DATA / f'{vectors}.npz')
    count, height, width = golden['shape']
    state = None
    for index in range(count):
        if index in golden['reset_at']:
            state = None
        frame = torch.from_numpy(golden_recipe.frame(index, height, width))[None, None]
        with torch.inference_mode():
            inverse_depth, state = run(frame, state)
        output = 100.0 * inverse_depth[0, 0].numpy()
        np.testing.assert_allclose(output[::4, ::4], golden['output'][index], 0, TOLERANCE)
        np.testing.assert_allclose(output.mean(), golden['mean'][index], 0, TOLERANCE)
        np.testing.assert_allclose(output.std(), golden['std'][index], 0, TOLERANCE)
    ssm = state.ssm[0].cpu().numpy()
    np.testing.assert_allclose(ssm[:, :, :4, :4], golden['state_head'], 0, TOLERANCE)
    np.testing.assert_allclose(ssm.mean(), golden['state_mean'], 0, TOLERANCE)
    np.testing.assert_allclose(ssm.std(), golden['state_std'], 0, TOLERANCE)


@pytest.fixture(scope='module')
def video_model():
    model = create_model('video-depth-anything-s')
    load_weights(model, golden_models.released_entries('vda_s'))
    return model


def test_window_matches_the_golden_vectors(video_model):
    frames = golden_models.golden_clip(8, 140, 182)
    with torch.inference_mode():
        outputs = window(video_model, frames)[0].numpy()
    check_video_outputs(outputs, 2, np.load(golden_models.DATA / 'vda_s_window_140x182.npz'))


@DEVICES
def test_stream_matches_the_golden_vectors(video_model, device):
    """Of 60 frames; after 41 the cache is full, and each further one replaces an entry."""
    run, state, outputs = runner(video_model, device), None, []
    for index in range(60):
        rgb = golden_recipe.frame_uint8(index, 112, 140)
        frame = torch.from_numpy(normalise_on_cpu(resize_on_cpu(rgb, (112, 140))))
        with torch.inference_mode():
            inverse_depth, state = run(frame, state)
        outputs.append(inverse_depth[0, 0].numpy())
    golden = np.load(golden_models.DATA / 'vda_s_stream_112x140.npz')
    check_video_outputs(np.stack(outputs), 4, golden)


def check_video_outputs(outputs, stride, golden):
    for name, values in [
        ('output', outputs[:, ::stride, ::stride]),
        ('mean', outputs.mean(axis=(1, 2))),
        ('std', outputs.std(axis=(1, 2))),
    ]:
        np.testing.assert_allclose(values, golden[name], 0, TOLERANCE)


def test_checkpoint_of_l_loads():
    shapes = golden_models.json.loads((golden_models.DATA / 'l_keys.json').read_text())
    model = create_model('flashdepth-l')
    load_weights(model, {name: torch.zeros(shape) for name, shape in shapes.items()})
    assert all(entry.abs().max() == 0 for entry in model.state_dict().values())
