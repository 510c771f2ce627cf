"""
The end of the head in one kernel: its arithmetic, and what happens where it does not work.

Triton comes with CUDA builds of PyTorch. On a CPU, with Triton on the path, its interpreter runs
the kernel: `TRITON_INTERPRET=1 pytest test/runtime/test_fused_head.py`.
"""

import os
import sys
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from flashdepth_ros.network.config import DecoderConfig
from flashdepth_ros.network.decoder import Head, resize, run_head
from flashdepth_ros.network.presets import PRESETS
from flashdepth_ros.runtime.engines.fused_head import fuse_head

DEVICE = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
KERNEL = 'flashdepth_ros.runtime.engines.head_kernel'
SHAPES = [
    # batch, source, size: odd ones, several strips, one pixel, no change, a smaller output
    (1, (5, 7), (8, 11)),
    (2, (11, 40), (19, 69)),
    (1, (9, 37), (16, 64)),
    (1, (1, 1), (3, 5)),
    (1, (4, 1), (1, 1)),
    (2, (6, 5), (6, 5)),
    (1, (9, 9), (5, 1)),
]


def config(width=64, head_channels=32, detail_channels=0):
    return DecoderConfig(width, (8, 8, 8, 8), head_channels, detail_channels)


def head_of(*channels, halved=True):
    torch.manual_seed(0)
    head = Head(config(*channels)).eval().requires_grad_(False).to(DEVICE)
    if halved:
        head.halve()
    return head


def reference(head, features, size):
    """Return the output from features and weights in fp16, computed in float64."""
    (weight, bias), last = (
        (layer.weight.double(), layer.bias.double()) for layer in (head.conv2, head.conv3)
    )
    hidden = F.relu(F.conv2d(resize(features.double(), size), weight, bias, padding=1))
    return F.conv2d(hidden, *last).squeeze(1)


@pytest.fixture
def lines(caplog):
    """Return a function that returns the lines of the log."""
    caplog.set_level('INFO')
    return lambda: [each.getMessage() for each in caplog.records]


@pytest.fixture
def fused():
    """Return a function that makes a head whose end the kernel computes."""
    pytest.importorskip('triton')
    if DEVICE.type == 'cpu' and os.environ.get('TRITON_INTERPRET') != '1':
        pytest.skip('without a GPU, TRITON_INTERPRET=1 must be set')

    def make(*channels):
        head = head_of(*channels)
        fuse_head(head)
        assert head.finish is not None
        return head

    return make


@pytest.mark.parametrize(('batch', 'source', 'size'), SHAPES)
def test_the_kernel_is_as_accurate_as_the_layers_in_half_precision(fused, batch, source, size):
    head = fused()
    features = torch.randn(batch, 32, *source, device=DEVICE).half()
    found, expected = head.finish(features, size), reference(head, features, size)
    assert found.shape == (batch, *size)
    assert found.dtype == torch.float32
    error = (head._reduce(resize(features, size)) - expected).abs().max()
    assert (found - expected).abs().max() <= 1.2 * error + 1e-5


@pytest.mark.parametrize(('width', 'between'), [(32, 16), (32, 32), (128, 32), (256, 32)])
def test_the_kernel_takes_the_channels_of_all_presets(fused, width, between):
    head = fused(width, between)
    features = torch.randn(1, width // 2, 4, 6, device=DEVICE).half()
    found, expected = head.finish(features, (7, 10)), reference(head, features, (7, 10))
    assert (found - expected).abs().max() < 1e-3


def test_the_kernel_keeps_values_that_are_not_finite(fused):
    head = fused()
    features = torch.zeros(1, 32, 4, 6, device=DEVICE).half()
    features[0, 3, 1, 2] = float('nan')
    found = head.finish(features, (7, 10)).isnan()
    assert found.any()
    assert not found.all()


def test_a_head_with_the_kernel_is_close_to_the_one_in_float32(fused):
    plain, head = head_of(halved=False), fused()
    path = torch.randn(2, 64, 16, 24, device=DEVICE)
    found, expected = run_head(head, path, (2, 3)), run_head(plain, path, (2, 3))
    assert (found - expected).abs().max() < 2e-3


def test_what_computes_the_end_gets_features_and_size():
    head, seen = head_of(halved=False), []

    def finish(features, size):
        seen.append((features, size))
        return head._reduce(resize(features, size))

    path = torch.randn(1, 64, 8, 16, device=DEVICE)
    expected = run_head(head, path, (1, 2))
    head.finish = finish
    assert torch.equal(run_head(head, path, (1, 2)), expected)
    ((features, size),) = seen
    assert torch.equal(features, head.conv1(path))
    assert size == (14, 28)


def stays_in_half_precision(head, frames=None):
    """Tell whether a head that was fused computes as one of the same weights that was halved."""
    halved = Head(config(64, head.conv2.out_channels, 8 if head.detail else 0)).to(DEVICE)
    halved.load_state_dict(head.state_dict())
    halved.halve()
    path = torch.randn(1, 64, 8, 16, device=DEVICE)
    with torch.inference_mode():
        found, expected = (run_head(each, path, (1, 2), frames) for each in (head, halved))
    return head.finish is None and torch.equal(found, expected)


def test_without_triton_the_head_is_in_half_precision(monkeypatch, lines):
    monkeypatch.setitem(sys.modules, 'triton', None)
    monkeypatch.delitem(sys.modules, KERNEL, raising=False)
    head = head_of()
    fuse_head(head)
    assert stays_in_half_precision(head)
    (line,) = lines()
    assert 'the end of the head is not one kernel' in line
    assert 'triton' in line


@pytest.mark.parametrize(
    ('error', 'reason'),
    [(RuntimeError('no driver\nand more'), 'no driver'), (AssertionError(), 'AssertionError')],
)
def test_a_kernel_that_fails_is_not_used(monkeypatch, lines, error, reason):
    def fail(*_):
        raise error

    kernel = SimpleNamespace(HeadWeights=SimpleNamespace, finish=fail)
    monkeypatch.setitem(sys.modules, KERNEL, kernel)
    head = head_of()
    fuse_head(head)
    assert stays_in_half_precision(head)
    (line,) = lines()
    assert line.endswith(f'kernel: {reason}')


def test_a_detail_path_is_not_for_the_kernel(lines):
    head = head_of(64, 16, 8)
    fuse_head(head)
    assert stays_in_half_precision(head, torch.randn(1, 3, 14, 28, device=DEVICE))
    assert 'the model has a detail path' in lines()[0]


@pytest.mark.parametrize('channels', [(96, 32), (64, 8)])
def test_other_channels_are_not_for_the_kernel(lines, channels):
    head = head_of(*channels)
    fuse_head(head)
    assert head.finish is None
    assert 'expected one of 16, 32, 64, 128' in lines()[0]


def test_the_heads_of_all_presets_without_a_detail_path_have_channels_for_the_kernel():
    for preset in PRESETS.values():
        decoder = preset.decoder
        if not decoder.detail_channels:
            assert {decoder.width // 2, decoder.head_channels} <= {16, 32, 64, 128}
