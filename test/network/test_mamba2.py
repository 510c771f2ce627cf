import pytest
import torch

from flashdepth_ros.network.mamba2 import Mixer, scan, segment_sums

HEADS, HEAD_DIM, STATE_DIM = 3, 4, 5


def recurrence(x, decay, projections, state):
    """Compute the definition of the scan, token by token."""
    B, C = projections
    outputs = []
    for token in range(x.shape[1]):
        decayed = decay[:, token].exp()[..., None, None] * state
        state = decayed + torch.einsum('bhp,bn->bhpn', x[:, token], B[:, token])
        outputs.append(torch.einsum('bhpn,bn->bhp', state, C[:, token]))
    return torch.stack(outputs, dim=1), state


def inputs(length, seed=0, batch=2):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    x = normal(batch, length, HEADS, HEAD_DIM)
    decay = -3.0 * normal(batch, length, HEADS).square()
    projections = normal(batch, length, STATE_DIM) / 2, normal(batch, length, STATE_DIM) / 2
    return x, decay, projections, normal(batch, HEADS, HEAD_DIM, STATE_DIM)


@pytest.mark.parametrize('length', [1, 2, 7, 16, 33, 200])
@pytest.mark.parametrize('chunk', [1, 3, 16, 64, 500])
def test_chunks_equal_the_recurrence(length, chunk):
    arguments = inputs(length, seed=length)
    y, state = scan(*arguments, chunk=chunk)
    expected_y, expected_state = recurrence(*arguments)
    torch.testing.assert_close(y, expected_y, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(state, expected_state, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(('length', 'chunk'), [(5, 2), (33, 16), (40, 64)])
def test_gradients_equal_those_of_the_recurrence(length, chunk):
    gradients = []
    for run in (lambda *arguments: scan(*arguments, chunk=chunk), recurrence):
        x, decay, (B, C), state = inputs(length)
        leaves = [part.requires_grad_() for part in (x, decay, B, C, state)]
        y, after = run(x, decay, (B, C), state)
        (y.sin().sum() + after.cos().sum()).backward()
        gradients.append([leaf.grad for leaf in leaves])
    for chunked, exact in zip(*gradients, strict=True):
        torch.testing.assert_close(chunked, exact, rtol=1e-5, atol=1e-5)


def test_long_segments_do_not_reduce_the_precision_of_short_ones():
    # Differences of one running sum would have an error of 1e-4 in the last segment.
    values = torch.tensor([-4000.0, -0.001, -0.002])
    assert segment_sums(values)[2, 0].item() == pytest.approx(-0.003, rel=1e-6)
    assert segment_sums(values)[2, 1].item() == pytest.approx(-0.002, rel=1e-6)


def test_scan_over_2000_frames_stays_bounded():
    torch.manual_seed(0)
    mixer = Mixer(dim=16, expand=2, head_dim=4, state_dim=8)
    state = torch.zeros(1, *mixer.state_shape)
    sizes = []
    with torch.inference_mode():
        for _ in range(200):
            mixed, state = mixer(torch.randn(1, 10, 6, 16), state)
            sizes.append(state.abs().max())
            assert mixed.isfinite().all()
    sizes = torch.stack(sizes)
    assert sizes.isfinite().all()
    assert sizes[100:].max() <= 2 * sizes[:100].max()


def test_convolution_starts_from_zeros_at_every_frame():
    torch.manual_seed(0)
    mixer = Mixer(dim=16, expand=2, head_dim=4, state_dim=8)
    initial = torch.zeros(1, *mixer.state_shape)
    frames = torch.randn(1, 2, 6, 16)
    with torch.inference_mode():
        first, state = mixer(frames[:, :1], initial)
        both, _ = mixer(frames, initial)
        second, _ = mixer(frames[:, 1:], state)
    torch.testing.assert_close(both, torch.cat((first, second), dim=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_scan_compiles_to_one_static_graph(dtype):
    mixer = Mixer(dim=16, expand=2, head_dim=4, state_dim=8)
    tokens, state = torch.randn(1, 1, 6, 16), torch.randn(1, *mixer.state_shape)
    with torch.inference_mode(), torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
        program = torch.export.export(mixer, (tokens, state))
        for expected, exported in zip(
            mixer(tokens, state), program.module()(tokens, state), strict=True
        ):
            torch.testing.assert_close(exported, expected)
