import numpy as np
import pytest
import torch

from flashdepth_ros.network import create_model, load_weights
from support import golden_models, golden_recipe

TOLERANCE = 1e-4


@pytest.mark.parametrize(
    ('vectors', 'preset', 'keys'),
    [('s_182x252', 'flashdepth-s', 's'), ('full_518x602', 'flashdepth-full', 'full')],
)
def test_outputs_match_the_golden_vectors(vectors, preset, keys):
    model = create_model(preset)
    load_weights(model, golden_models.released_entries(keys))
    golden = np.load(golden_models.DATA / f'{vectors}.npz')
    count, height, width = golden['shape']
    state = None
    for index in range(count):
        if index in golden['reset_at']:
            state = None
        frame = torch.from_numpy(golden_recipe.frame(index, height, width))[None, None]
        with torch.inference_mode():
            inverse_depth, state = model(frame, state)
        output = 100.0 * inverse_depth[0, 0].numpy()
        np.testing.assert_allclose(output[::4, ::4], golden['output'][index], 0, TOLERANCE)
        np.testing.assert_allclose(output.mean(), golden['mean'][index], 0, TOLERANCE)
        np.testing.assert_allclose(output.std(), golden['std'][index], 0, TOLERANCE)
    ssm = state.ssm[0].numpy()
    np.testing.assert_allclose(ssm[:, :, :4, :4], golden['state_head'], 0, TOLERANCE)
    np.testing.assert_allclose(ssm.mean(), golden['state_mean'], 0, TOLERANCE)
    np.testing.assert_allclose(ssm.std(), golden['state_std'], 0, TOLERANCE)


def test_checkpoint_of_l_loads():
    shapes = golden_models.json.loads((golden_models.DATA / 'l_keys.json').read_text())
    model = create_model('flashdepth-l')
    load_weights(model, {name: torch.zeros(shape) for name, shape in shapes.items()})
    assert all(entry.abs().max() == 0 for entry in model.state_dict().values())
