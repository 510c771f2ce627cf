"""
How fast this package is beside the published code: `python test/released_speed.py CHECKOUT`.

CHECKOUT is a copy of FlashDepth's repository. FlashDepth-S's encoder and decoder run from there as
they are, in eager float32, on packages that stand empty where CUDA's would be; its temporal module
needs CUDA, this package's takes its place. The published attention is measured twice: by plain
products, which is what that code does without xFormers, and by PyTorch's fused attention.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
import statistics
import sys
import time
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor
import torch.nn.functional as F

from flashdepth_ros.network import StreamState, create_model
from flashdepth_ros.network.config import PATCH
from flashdepth_ros.runtime.engines import EngineChoice, create_engine

HEIGHT, WIDTH = 364, 644
TAPS, WIDTHS = [2, 5, 8, 11], [48, 96, 192, 384]
ROUNDS, FRAMES, WARM_UP = 6, 3, 9
"""All take turns, so that the machine's moods fall on all; int8 calibrates while it warms up."""
CUDA_ONLY = ('flash_attn', 'fla', 'fla.modules', 'fla.ops', 'fla.ops.linear_attn', 'fla.layers')


class Empty(ModuleType):
    """A package that has whatever is imported from it, none of it of use."""

    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> object:
        if name.startswith('__'):
            raise AttributeError(name)
        return object


def released(checkout: Path, frame: Tensor) -> dict[str, Callable[[], object]]:
    """Return what estimates a frame with the published code, by the attention it uses."""
    sys.path.insert(0, str(checkout))
    sys.modules.update({name: Empty(name) for name in CUDA_ONLY})
    from flashdepth.dinov2 import DINOv2
    from flashdepth.dinov2_layers.attention import MemEffAttention
    from flashdepth.original_dpt import DPTHead

    encoder = DINOv2(model_name='vits', patch_size=PATCH).eval()
    decoder = DPTHead(encoder.embed_dim, dpt_dim=64, out_channels=WIDTHS).eval()
    plain = MemEffAttention.forward
    temporal = create_model('flashdepth-s').temporal
    assert temporal is not None
    state = [temporal.start(1, frame.device)]

    def aligned(_: None, path: Tensor, in_dpt_layer: int) -> Tensor:
        tokens, state[0] = temporal(temporal.pooled(path, 1), state[0])
        return temporal.added(path, tokens[0])

    def estimate(attention: Callable[..., Tensor]) -> Tensor:
        MemEffAttention.forward = attention
        taps = encoder.get_intermediate_layers(frame, TAPS)
        size = HEIGHT // PATCH, WIDTH // PATCH
        path = decoder.forward_with_mamba(taps, *size, [1], aligned, shape_placeholder=None)
        half = decoder.scratch.output_conv1(path)
        whole = F.interpolate(half, (HEIGHT, WIDTH), mode='bilinear', align_corners=True)
        return F.relu(decoder.scratch.output_conv2(whole))

    return {
        'published, plain attention': lambda: estimate(plain),
        'published, fused attention': lambda: estimate(fused),
    }


def fused(layer: Any, tokens: Tensor, attn_bias: None = None) -> Tensor:
    """Do what the published attention does, by PyTorch's own kernel."""
    heads = layer.qkv(tokens).unflatten(-1, (3, layer.num_heads, -1)).permute(2, 0, 3, 1, 4)
    return layer.proj(F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))


def ours(engine_name: str, precision: str, frame: Tensor) -> Callable[[], object]:
    """Return what estimates the next frame of a stream with this package."""
    engine = create_engine(
        create_model('flashdepth-s'), EngineChoice('cpu', precision, engine_name)
    )
    engine.prepare(frame[None])
    state: list[StreamState | None] = [None]

    def estimate() -> None:
        _, state[0] = engine.run(frame[None], state[0])

    return estimate


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkout', type=Path)
    torch.manual_seed(0)
    frame = torch.rand(1, 3, HEIGHT, WIDTH)
    candidates = released(parser.parse_args().checkout, frame) | {
        f'this package, {name} {precision}': ours(name, precision, frame)
        for name, precision in (
            ('torch', 'fp32'),
            ('openvino', 'fp32'),
            ('openvino', 'bf16'),
            ('openvino', 'int8'),
        )
    }
    times_ms: dict[str, list[float]] = {name: [] for name in candidates}
    with torch.inference_mode():
        for estimate in candidates.values():
            for _ in range(WARM_UP):
                estimate()
        for _ in range(ROUNDS):
            for name, estimate in candidates.items():
                estimate()
                for _ in range(FRAMES):
                    start_s = time.perf_counter()
                    estimate()
                    times_ms[name].append(1e3 * (time.perf_counter() - start_s))
    medians = {name: statistics.median(each) for name, each in times_ms.items()}
    lines = [f'flashdepth-s at {WIDTH}x{HEIGHT}: ms a frame, times as fast as the published']
    for name, median in medians.items():
        ratios = [f'{medians[each] / median:6.2f}' for each in list(medians)[:2]]
        lines.append(f'{name:32} {median:8.1f} {"".join(ratios)}')
    sys.stdout.write('\n'.join(lines) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
