"""Frozen configurations of models."""

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

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Return the channels of the tapped maps, from the fine to the coarse level."""
        return (self.dim,) * 4


@dataclass(frozen=True)
class ConvolutionalEncoderConfig:
    """EfficientNet-Lite0, with maps of the resolution of each level."""

    taps: tuple[int, int, int, int] = (1, 2, 4, 6)
    """Indices of the stages whose outputs the decoder reads, from the fine to the coarse level."""
    channels: tuple[int, int, int, int] = (24, 40, 112, 320)
    """The channels of these outputs."""


@dataclass(frozen=True)
class DecoderConfig:
    """A DPT decoder."""

    width: int
    channels: tuple[int, int, int, int]
    """Channels of the reassembled maps, from the fine to the coarse level."""
    head_channels: int = 32
    detail_channels: int = 0
    """Channels of features of the frame itself at full size, for the head; 0: none."""


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

    encoder: EncoderConfig | ConvolutionalEncoderConfig
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


FLASHDEPTH_OUTPUT = InverseDepthOutput(per_inverse_metre=100.0)
"""The output of FlashDepth and of Depth Anything V2."""


@dataclass(frozen=True)
class ModelConfig:
    """A model. `temporal` None: no temporal module. `fusion` None: no context branch."""

    name: str
    encoder: EncoderConfig | ConvolutionalEncoderConfig
    decoder: DecoderConfig
    temporal: TemporalConfig | TemporalAttentionConfig | None = None
    fusion: FusionConfig | None = None
    output: InverseDepthOutput | DepthOutput = FLASHDEPTH_OUTPUT
    short_side: int = 518
    """Default short side of the network input, px."""
    long_side: int = 0
    """Largest default long side, px, so that wide images look as in training; 0: any."""
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


def check_size(width: int, height: int) -> None:
    """
    Check the size of a network input, px.

    :raises ConfigError: a side is no multiple of 14.
    """
    if width % PATCH or height % PATCH:
        raise ConfigError(
            f'size {width}x{height}; expected multiples of {PATCH} in both directions'
        )
