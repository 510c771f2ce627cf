"""What a model is made of, in numbers: frozen configurations, and the presets made of them."""

from dataclasses import dataclass

from flashdepth_ros.errors import ConfigError

PATCH = 14
"""Side of a patch, px; both sides of every network input are multiples of it."""

LEVELS = (4, 3, 2, 1)
"""The decoder's resolutions, coarse to fine: 1/28, 1/14, 1/7 and 1/3.5 of the input."""


@dataclass(frozen=True)
class EncoderConfig:
    """A DINOv2 vision transformer."""

    dim: int
    depth: int
    heads: int
    taps: tuple[int, int, int, int]
    """Blocks, counted from 0, whose outputs the decoder reads; fine level to coarse level."""
    position_grid: int = 37
    """Side of the learned grid of position embeddings, in patches."""


@dataclass(frozen=True)
class DecoderConfig:
    """A DPT decoder."""

    width: int
    channels: tuple[int, int, int, int]
    """Channels of the reassembled maps; fine level to coarse level."""
    head_channels: int = 32


@dataclass(frozen=True)
class TemporalConfig:
    """The recurrent module: pooled tokens of one path through Mamba-2 blocks."""

    level: int
    """The decoder level whose path it aligns over time."""
    expand: int
    """Inner width of a mixer over the path's width."""
    head_dim: int
    state_dim: int = 256
    blocks: int = 4


@dataclass(frozen=True)
class ContextConfig:
    """The context branch: a larger encoder on a smaller copy of the frame."""

    encoder: EncoderConfig
    decoder: DecoderConfig
    short_side: int
    """Frames with a longer short side are shrunk to it, px."""


@dataclass(frozen=True)
class FusionConfig:
    """Cross-attention from a path to the context branch's path of the same level."""

    context: ContextConfig
    level: int = 4
    blocks: int = 4
    heads: int = 2
    places: bool = False
    """Whether a token knows where it and the context's lie, and begins by attending nearby."""


@dataclass(frozen=True)
class ModelConfig:
    """A whole model. `temporal` None: every frame on its own. `fusion` None: no context branch."""

    name: str
    encoder: EncoderConfig
    decoder: DecoderConfig
    temporal: TemporalConfig | None = None
    fusion: FusionConfig | None = None
    short_side: int = 518
    """Short side of the network's input for which the preset is meant, px."""
    metric: bool = True
    """Whether inverse depth comes in 1/m; False: only up to an unknown scale and shift."""
    canonical_focal: float = 0.0
    """
    Focal length over the short side of the camera in whose metres inverse depth comes; those of
    another camera are as many times longer as its focal length is. 0: whatever the camera.
    """
    weights_license: str = 'Apache-2.0'
    purpose: str = ''
    """What the weights are for, shown where a user first meets them; '': nothing to warn of."""


_VIT_S = EncoderConfig(dim=384, depth=12, heads=6, taps=(2, 5, 8, 11))
_VIT_B = EncoderConfig(dim=768, depth=12, heads=12, taps=(2, 5, 8, 11))
_VIT_L = EncoderConfig(dim=1024, depth=24, heads=16, taps=(4, 11, 17, 23))
_DPT_S = DecoderConfig(width=64, channels=(48, 96, 192, 384))
_DPT_B = DecoderConfig(width=128, channels=(96, 192, 384, 768))
_DPT_L = DecoderConfig(width=256, channels=(256, 512, 1024, 1024))
_TEMPORAL_S = TemporalConfig(level=3, expand=4, head_dim=32)
_TEMPORAL_L = TemporalConfig(level=1, expand=2, head_dim=64)
_NON_COMMERCIAL = 'CC-BY-NC-4.0 (derived from Depth Anything V2 Base or Large)'

_TRIAL = 'for trying everything out: trained on simulated scenes only, not for work on a robot'
_CANONICAL_FOCAL = 0.8
"""Some 80 degrees across at 4:3, the middle of the simulated cameras."""
_VIT_TINY_S = EncoderConfig(dim=128, depth=4, heads=4, taps=(0, 1, 2, 3), position_grid=24)
_VIT_TINY_L = EncoderConfig(dim=192, depth=6, heads=6, taps=(1, 2, 4, 5), position_grid=12)
_DPT_TINY_S = DecoderConfig(width=32, channels=(32, 48, 96, 128), head_channels=16)
_DPT_TINY_L = DecoderConfig(width=32, channels=(32, 48, 96, 128), head_channels=16)
_TEMPORAL_TINY_S = TemporalConfig(level=3, expand=4, head_dim=16, state_dim=128)
_TEMPORAL_TINY_L = TemporalConfig(level=3, expand=2, head_dim=16, state_dim=128)

_PRESETS = (
    ModelConfig('flashdepth-s', _VIT_S, _DPT_S, _TEMPORAL_S),
    ModelConfig('flashdepth-l', _VIT_L, _DPT_L, _TEMPORAL_L, weights_license=_NON_COMMERCIAL),
    ModelConfig(
        'flashdepth-full',
        _VIT_S,
        _DPT_S,
        _TEMPORAL_S,
        FusionConfig(ContextConfig(_VIT_L, _DPT_L, short_side=490)),
        short_side=1148,
        weights_license=_NON_COMMERCIAL,
    ),
    ModelConfig('depth-anything-v2-s', _VIT_S, _DPT_S, metric=False),
    ModelConfig(
        'depth-anything-v2-b', _VIT_B, _DPT_B, metric=False, weights_license=_NON_COMMERCIAL
    ),
    ModelConfig(
        'depth-anything-v2-l', _VIT_L, _DPT_L, metric=False, weights_license=_NON_COMMERCIAL
    ),
    ModelConfig(
        'flashdepth-tiny',
        _VIT_TINY_S,
        _DPT_TINY_S,
        _TEMPORAL_TINY_S,
        FusionConfig(
            ContextConfig(_VIT_TINY_L, _DPT_TINY_L, short_side=140), level=3, places=True
        ),
        short_side=448,
        canonical_focal=_CANONICAL_FOCAL,
        purpose=_TRIAL,
    ),
    ModelConfig(
        'flashdepth-tiny-s',
        _VIT_TINY_S,
        _DPT_TINY_S,
        _TEMPORAL_TINY_S,
        short_side=448,
        canonical_focal=_CANONICAL_FOCAL,
        purpose=_TRIAL,
    ),
    ModelConfig(
        'flashdepth-tiny-l',
        _VIT_TINY_L,
        _DPT_TINY_L,
        _TEMPORAL_TINY_L,
        short_side=140,
        canonical_focal=_CANONICAL_FOCAL,
        purpose=_TRIAL,
    ),
)
PRESETS = {config.name: config for config in _PRESETS}
"""Every model by its name; `-tiny-s` and `-tiny-l` are the two branches of `-tiny` alone."""


def preset(name: str) -> ModelConfig:
    """
    Return the configuration that goes by `name`.

    :raises ConfigError: no preset has that name.
    """
    if name not in PRESETS:
        raise ConfigError(f'model {name!r} is not known; one of {", ".join(PRESETS)}')
    return PRESETS[name]
