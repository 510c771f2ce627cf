"""Frozen model configurations, and the presets built from them."""

from dataclasses import dataclass

from flashdepth_ros.errors import ConfigError

PATCH = 14
"""Side of a patch, px; height and width of every network input must be multiples of it."""

LEVELS = (4, 3, 2, 1)
"""Decoder levels, coarse to fine: 1/28, 1/14, 1/7 and 1/3.5 of the input resolution."""

WINDOW = 32
"""Number of frames among which temporal attention works."""


@dataclass(frozen=True)
class EncoderConfig:
    """A DINOv2 vision transformer."""

    dim: int
    depth: int
    heads: int
    taps: tuple[int, int, int, int]
    """Indices of the blocks whose outputs the decoder reads, from the fine to the coarse level."""
    position_grid: int = 37
    """Side of the learned grid of position embeddings, patches."""


@dataclass(frozen=True)
class DecoderConfig:
    """A DPT decoder."""

    width: int
    channels: tuple[int, int, int, int]
    """Channels of the reassembled maps, from the fine to the coarse level."""
    head_channels: int = 32


@dataclass(frozen=True)
class TemporalConfig:
    """The recurrent module: Mamba-2 blocks on the pooled tokens of one decoder path."""

    level: int
    """Decoder level whose path is aligned over time."""
    expand: int
    """Inner width of a mixer divided by the width of the path."""
    head_dim: int
    state_dim: int = 256
    blocks: int = 4


@dataclass(frozen=True)
class TemporalAttentionConfig:
    """Temporal attention at each position of the decoder's maps, over a window of frames."""

    heads: int = 8


@dataclass(frozen=True)
class InverseDepthOutput:
    """The network's raw output is a multiple of inverse depth, after a ReLU."""

    per_inverse_metre: float
    """The raw output for 1/m; 1 if inverse depth is known up to scale and shift only."""


@dataclass(frozen=True)
class DepthOutput:
    """The network's raw output is depth in metres."""

    maximum: float = 0.0
    """The output is a sigmoid times this, m; 0: it is not bounded, after a ReLU."""


@dataclass(frozen=True)
class ContextConfig:
    """The context branch: a larger encoder on a smaller copy of the frame."""

    encoder: EncoderConfig
    decoder: DecoderConfig
    short_side: int
    """Frames with a longer short side are resized to it, px."""


@dataclass(frozen=True)
class FusionConfig:
    """Cross-attention from the student's path to the context branch's path of the same level."""

    context: ContextConfig
    level: int = 4
    blocks: int = 4
    heads: int = 2
    position_encoding: bool = False
    """Whether queries and keys carry their position; attention then starts as a local one."""


_FLASHDEPTH_OUTPUT = InverseDepthOutput(per_inverse_metre=100.0)


@dataclass(frozen=True)
class ModelConfig:
    """A model. `temporal` None: no temporal module. `fusion` None: no context branch."""

    name: str
    encoder: EncoderConfig
    decoder: DecoderConfig
    temporal: TemporalConfig | TemporalAttentionConfig | None = None
    fusion: FusionConfig | None = None
    output: InverseDepthOutput | DepthOutput = _FLASHDEPTH_OUTPUT
    short_side: int = 518
    """Default short side of the network input, px."""
    metric: bool = True
    """Whether inverse depth is in 1/m; False: known up to scale and shift only."""
    canonical_focal: float = 0.0
    """
    Focal length, divided by the short side, of the canonical camera (arXiv 2307.10984).

    Inverse depth is predicted for that camera. Depth of the real camera is the predicted depth
    times the ratio of the focal lengths. 0: no canonical camera, depth is not rescaled.
    """
    weights_license: str = 'Apache-2.0'
    purpose: str = ''
    """Limits of the weights, shown to users when the model is chosen; '': none."""


_VIT_S = EncoderConfig(dim=384, depth=12, heads=6, taps=(2, 5, 8, 11))
_VIT_B = EncoderConfig(dim=768, depth=12, heads=12, taps=(2, 5, 8, 11))
_VIT_L = EncoderConfig(dim=1024, depth=24, heads=16, taps=(4, 11, 17, 23))
_DPT_S = DecoderConfig(width=64, channels=(48, 96, 192, 384))
_DPT_B = DecoderConfig(width=128, channels=(96, 192, 384, 768))
_DPT_L = DecoderConfig(width=256, channels=(256, 512, 1024, 1024))
_TEMPORAL_S = TemporalConfig(level=3, expand=4, head_dim=32)
_TEMPORAL_L = TemporalConfig(level=1, expand=2, head_dim=64)
_NON_COMMERCIAL = 'CC-BY-NC-4.0 (derived from Depth Anything V2 Base or Large)'

_TRIAL = 'for trying out the software: trained on simulated scenes only, not for work on a robot'
_CANONICAL_FOCAL = 0.8
"""About 80 degrees horizontally at 4:3, the middle of the simulated cameras' range."""
_VIT_TINY_S = EncoderConfig(dim=128, depth=4, heads=4, taps=(0, 1, 2, 3), position_grid=24)
_VIT_TINY_L = EncoderConfig(dim=192, depth=6, heads=6, taps=(1, 2, 4, 5), position_grid=12)
_DPT_TINY_S = DecoderConfig(width=32, channels=(32, 48, 96, 128), head_channels=16)
_DPT_TINY_L = DecoderConfig(width=32, channels=(32, 48, 96, 128), head_channels=16)
_TEMPORAL_TINY_S = TemporalConfig(level=3, expand=4, head_dim=16, state_dim=128)
_TEMPORAL_TINY_L = TemporalConfig(level=3, expand=2, head_dim=16, state_dim=128)

_RELATIVE = InverseDepthOutput(per_inverse_metre=1.0)


def _depth_anything(
    family: str,
    output: InverseDepthOutput | DepthOutput,
    temporal: TemporalAttentionConfig | None = None,
) -> list[ModelConfig]:
    """Return the small, base and large preset of a family."""
    sizes = {'s': (_VIT_S, _DPT_S), 'b': (_VIT_B, _DPT_B), 'l': (_VIT_L, _DPT_L)}
    return [
        ModelConfig(
            f'{family}-{size}',
            encoder,
            decoder,
            temporal,
            output=output,
            metric=isinstance(output, DepthOutput),
            weights_license='Apache-2.0' if size == 's' else 'CC-BY-NC-4.0',
        )
        for size, (encoder, decoder) in sizes.items()
    ]


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
    *_depth_anything('depth-anything-v2', _FLASHDEPTH_OUTPUT),
    *_depth_anything('depth-anything-v2-metric-indoor', DepthOutput(maximum=20.0)),
    *_depth_anything('depth-anything-v2-metric-outdoor', DepthOutput(maximum=80.0)),
    *_depth_anything('video-depth-anything', _RELATIVE, TemporalAttentionConfig()),
    *_depth_anything('metric-video-depth-anything', DepthOutput(), TemporalAttentionConfig()),
    ModelConfig(
        'flashdepth-tiny',
        _VIT_TINY_S,
        _DPT_TINY_S,
        _TEMPORAL_TINY_S,
        FusionConfig(
            ContextConfig(_VIT_TINY_L, _DPT_TINY_L, short_side=140),
            level=3,
            position_encoding=True,
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
    ModelConfig(
        'video-depth-anything-tiny',
        _VIT_TINY_S,
        _DPT_TINY_S,
        TemporalAttentionConfig(),
        output=_RELATIVE,
        short_side=448,
        metric=False,
        purpose='for tests and trial trainings: it has no weights',
    ),
)
PRESETS = {config.name: config for config in _PRESETS}
"""The presets by name; `flashdepth-tiny-s` and `-l` are the two branches of `-tiny` alone."""


def check_size(width: int, height: int) -> None:
    """
    Check the size of a network input, px.

    :raises ConfigError: a side is no multiple of 14.
    """
    if width % PATCH or height % PATCH:
        raise ConfigError(
            f'size {width}x{height}; expected multiples of {PATCH} in both directions'
        )


def preset(name: str) -> ModelConfig:
    """
    Return the configuration called `name`.

    :raises ConfigError: there is no preset of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f'model {name!r} is not known; one of {", ".join(PRESETS)}')
    return PRESETS[name]
