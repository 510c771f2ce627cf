"""
Compare the speed with the published code: `python test/runtime/released_speed.py CHECKOUT`.

CHECKOUT is a clone of the FlashDepth repository. The encoder and decoder of FlashDepth-S run from
there without changes, in eager float32; packages that need CUDA are replaced by empty modules. The
temporal module needs CUDA, so that of this package is used. The published attention is measured
twice: as matrix products, which that code uses without xFormers, and as PyTorch's fused attention.
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
"""The candidates alternate to share timing noise; int8 calibrates during the warm-up."""
CUDA_ONLY = ('flash_attn', 'fla', 'fla.modules', 'fla.ops', 'fla.ops.linear_attn', 'fla.layers')


class EmptyModule(ModuleType):
    """A placeholder for a package; every name can be imported from it."""

    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> object:
        if name.startswith('__'):
            raise AttributeError(name)
        return object


def published_candidates(checkout: Path, frame: Tensor) -> dict[str, Callable[[], object]]:
    """Return functions that process a frame with the published code, by kind of attention."""
    sys.path.insert(0, str(checkout))
    sys.modules.update({name: EmptyModule(name) for name in CUDA_ONLY})
    from flashdepth.dinov2 import DINOv2
    from flashdepth.dinov2_layers.attention import MemEffAttention
    from flashdepth.original_dpt import DPTHead

    encoder = DINOv2(model_name='vits', patch_size=PATCH).eval()
    decoder = DPTHead(encoder.embed_dim, dpt_dim=64, out_channels=WIDTHS).eval()
    unfused = MemEffAttention.forward
    temporal = create_model('flashdepth-s').temporal
    assert temporal is not None
    state = [temporal.initial_state(1, frame.device)]

    def aligned(_: None, path: Tensor, in_dpt_layer: int) -> Tensor:
        tokens, state[0] = temporal(temporal.pool(path, 1), state[0])
        return temporal.add_to(path, tokens[0])

    def estimate(attention: Callable[..., Tensor]) -> Tensor:
        MemEffAttention.forward = attention
        taps = encoder.get_intermediate_layers(frame, TAPS)
        size = HEIGHT // PATCH, WIDTH // PATCH
        path = decoder.forward_with_mamba(taps, *size, [1], aligned, shape_placeholder=None)
        half = decoder.scratch.output_conv1(path)
        whole = F.interpolate(half, (HEIGHT, WIDTH), mode='bilinear', align_corners=True)
        return F.relu(decoder.scratch.output_conv2(whole))

    return {
        'published, unfused attention': lambda: estimate(unfused),
        'published, fused attention': lambda: estimate(fused_attention),
    }


def fused_attention(layer: Any, tokens: Tensor, attn_bias: None = None) -> Tensor:
    """Compute the published attention with PyTorch's fused kernel."""
    heads = layer.qkv(tokens).unflatten(-1, (3, layer.num_heads, -1)).permute(2, 0, 3, 1, 4)
    return layer.proj(F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))


def package_candidate(engine_name: str, precision: str, frame: Tensor) -> Callable[[], object]:
    """Return a function that processes the next frame of a stream with this package."""
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
    candidates = published_candidates(parser.parse_args().checkout, frame) | {
        f'this package, {name} {precision}': package_candidate(name, precision, frame)
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
    lines = [
        f'flashdepth-s at {WIDTH}x{HEIGHT}: ms per frame, speed relative to the two published'
    ]
    for name, median in medians.items():
        ratios = [f'{medians[each] / median:6.2f}' for each in list(medians)[:2]]
        lines.append(f'{name:32} {median:8.1f} {"".join(ratios)}')
    sys.stdout.write('\n'.join(lines) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
