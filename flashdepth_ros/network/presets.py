"""The presets: configurations of the models that this package knows by name."""

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network.config import (
    FLASHDEPTH_OUTPUT,
    ContextConfig,
    ConvolutionalEncoderConfig,
    DecoderConfig,
    DepthOutput,
    EncoderConfig,
    FusionConfig,
    InverseDepthOutput,
    ModelConfig,
    TemporalAttentionConfig,
    TemporalConfig,
)

_VIT_S = EncoderConfig(dim=384, depth=12, heads=6, taps=(2, 5, 8, 11))
_VIT_B = EncoderConfig(dim=768, depth=12, heads=12, taps=(2, 5, 8, 11))
_VIT_L = EncoderConfig(dim=1024, depth=24, heads=16, taps=(4, 11, 17, 23))
_DPT_S = DecoderConfig(width=64, channels=(48, 96, 192, 384))
_DPT_B = DecoderConfig(width=128, channels=(96, 192, 384, 768))
_DPT_L = DecoderConfig(width=256, channels=(256, 512, 1024, 1024))
_TEMPORAL_S = TemporalConfig(level=3, expand=4, head_dim=32)
_TEMPORAL_L = TemporalConfig(level=1, expand=2, head_dim=64)
_NON_COMMERCIAL = 'CC-BY-NC-4.0 (derived from Depth Anything V2 Base or Large)'

DEFAULT_MODEL = 'flashdepth-lite'
"""The preset that is used when none is named; its weights are shipped."""

_TRIAL = 'for trying out the software: trained on simulated scenes only, not for work on a robot'
_MOSTLY_SIMULATED = (
    'for trying out the software: trained on simulated scenes and few real images, not for work '
    'on a robot'
)
_CANONICAL_FOCAL = 0.8
"""About 80 degrees horizontally at 4:3, the middle of the simulated cameras' range."""
_VIT_TINY_S = EncoderConfig(dim=128, depth=4, heads=4, taps=(0, 1, 2, 3), position_grid=24)
_VIT_TINY_L = EncoderConfig(dim=192, depth=6, heads=6, taps=(1, 2, 4, 5), position_grid=12)
_DPT_TINY_S = DecoderConfig(width=32, channels=(32, 48, 96, 128), head_channels=16)
_DPT_TINY_L = DecoderConfig(width=32, channels=(32, 48, 96, 128), head_channels=16)
_TEMPORAL_TINY_S = TemporalConfig(level=3, expand=4, head_dim=16, state_dim=128)
_TEMPORAL_TINY_L = TemporalConfig(level=3, expand=2, head_dim=16, state_dim=128)

_LITE = ConvolutionalEncoderConfig()
_DPT_LITE = DecoderConfig(
    width=32, channels=(24, 40, 112, 192), head_channels=16, detail_channels=8
)
_TEMPORAL_LITE = TemporalConfig(level=3, expand=4, head_dim=16, state_dim=128)

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
    *_depth_anything('depth-anything-v2', FLASHDEPTH_OUTPUT),
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
        'flashdepth-lite',
        _LITE,
        _DPT_LITE,
        _TEMPORAL_LITE,
        FusionConfig(
            ContextConfig(_LITE, _DPT_LITE, short_side=224),
            level=3,
            position_encoding=True,
        ),
        short_side=448,
        long_side=588,
        canonical_focal=_CANONICAL_FOCAL,
        purpose=_MOSTLY_SIMULATED,
    ),
    ModelConfig(
        'flashdepth-lite-l',
        _LITE,
        _DPT_LITE,
        short_side=224,
        long_side=294,
        canonical_focal=_CANONICAL_FOCAL,
        purpose=_MOSTLY_SIMULATED,
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


def preset(name: str) -> ModelConfig:
    """
    Return the configuration called `name`.

    :raises ConfigError: there is no preset of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f'model {name!r} is not known; one of {", ".join(PRESETS)}')
    return PRESETS[name]
