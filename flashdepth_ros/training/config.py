"""Frozen configurations of a training run, read from YAML."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network.config import PATCH, TemporalConfig
from flashdepth_ros.network.presets import preset
from flashdepth_ros.training.losses import LossConfig
from flashdepth_ros.training.parsing import (
    Count,
    Positive,
    Range,
    Share,
    Unsigned,
    Whole,
    parse,
    read_yaml,
)

_SIDE_MAX = 8192
"""Largest height and width of the network input, px."""
Side = Annotated[int, Range(PATCH, _SIDE_MAX)]
OptionalSide = Annotated[int, Range(0, _SIDE_MAX)]


@dataclass(frozen=True)
class SourceConfig:
    """A folder of training videos."""

    root: str
    kind: str = 'clips'
    """`clips`, `stills`, or a public data set: see `sources.KINDS`."""
    weight: Unsigned = 1.0
    """Relative share of the samples drawn from this source, independent of its size."""


@dataclass(frozen=True)
class PhaseConfig:
    """A part of the training with one resolution and clip length."""

    steps: Count
    height: Side
    width: Side
    frames: Count = 5
    batch: Count = 8
    """Clips per step, over all processes."""
    sizes: tuple[tuple[Side, ...], ...] = ()
    """Further sizes, `[height, width]`: the steps have all in turn, repeated ones more often."""
    strides: tuple[Count, ...] = (1, 2, 3, 4)
    """Distances between successive frames of a clip; one is drawn for each clip."""
    loss_frames: Whole = 0
    """
    Number of frames per clip that enter the loss: the first two, and pairs spread over the rest.

    The others only update the state, which makes long clips cheaper. 0: all frames.
    """
    cached_samples: Whole = 0
    """
    Number of samples whose features before temporal alignment are cached in the output folder.

    Training repeats these samples and trains only the layers after the features. 0: no cache.
    """
    frame_repeats: Count = 1
    """How often each frame updates the state: simulates longer clips, needs `cached_samples`."""

    def size(self, sample: int) -> tuple[int, int]:
        """Return height and width of a sample; all samples of a step have the same."""
        sizes = ((self.height, self.width), *self.sizes)
        height, width = sizes[sample // self.batch % len(sizes)]
        return height, width


@dataclass(frozen=True)
class AugmentationConfig:
    """Random changes, the same for all frames of a clip."""

    zoom: Annotated[float, Range(1.0, 10.0)] = 1.2
    """Largest zoom; depth is not rescaled, so keep it near 1 without `canonical_focal`."""
    flip: bool = True
    colour: Share = 0.2
    """Largest relative change of brightness, contrast, saturation, gamma and white balance."""


@dataclass(frozen=True)
class RatesConfig:
    """Peak learning rate of each part of the model; 0 freezes the part."""

    encoder: Share = 5e-4
    decoder: Share = 5e-4
    temporal: Share = 5e-4
    fusion: Share = 5e-4
    context: Share = 0.0


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW and Muon: linear warm-up, then a half cosine down to `final_rate` times the peak."""

    rates: RatesConfig = RatesConfig()
    warmup_steps: Whole = 1000
    final_rate: Share = 0.02
    weight_decay: Share = 0.02
    epsilon: Positive = 1e-8
    clip_norm: Positive = 1.0
    muon: bool = False
    """Whether Muon trains the matrices in blocks; needs fewer steps from scratch."""
    ema_decay: Annotated[float, Range(0.0, below=1.0)] = 0.0
    """Decay of the moving average of the weights that is validated and exported; 0: none."""


@dataclass(frozen=True)
class InitialConfig:
    """Initial weights, `.safetensors` or `.pth`; empty: from scratch."""

    student: str = ''
    """All but the context branch; temporal module and fusion may be missing in the file."""
    context: str = ''
    """The context branch: a model with that encoder and decoder, or a hybrid."""
    pretrained_encoders: bool = False
    """Whether convolutional encoders not in these files start as trained on ImageNet."""
    reset_fusion: bool = False
    """Whether to initialise the fusion again, even if `student` has a trained one."""
    reset_memory: bool = False
    """Whether to initialise the memory of the recurrence again, with long time constants."""
    max_memory_tokens: Unsigned = 0.0
    """Limit for the time constants of the recurrence, tokens; 0: no limit."""
    typical_depth_m: Positive = 4.0
    """Mean depth predicted by an output layer from scratch, m."""


@dataclass(frozen=True)
class ValidationConfig:
    """Regular validation on complete sequences."""

    sources: tuple[SourceConfig, ...] = ()
    every: Count = 1000
    """Steps between validations; each also writes a checkpoint."""
    videos: Whole = 8
    """Number of videos, evenly spread over the sources."""
    frames: Count = 32
    """Number of frames, from the start of each video."""
    height: OptionalSide = 0
    """Size of the network input, px; 0: that of the last phase."""
    width: OptionalSide = 0


@dataclass(frozen=True)
class TrainingConfig:
    """A training run."""

    model: str
    output: str
    """Folder for checkpoints, weights and learning curves."""
    sources: tuple[SourceConfig, ...]
    phases: tuple[PhaseConfig, ...]
    temporal: bool = True
    """False: train the preset without its temporal module."""
    seed: Whole = 0
    precision: str = 'float32'
    """`float32`, or `bfloat16` for automatic mixed precision."""
    compile: bool = False
    workers: Whole = 1
    """Data loader processes per training process; 0: load in the training process."""
    minutes: Unsigned = 0.0
    """
    Time of the run, in which its only phase ends and the rate falls; 0: the steps decide.

    For a machine that can be had for a time; such a run does not repeat bit for bit.
    """
    save_every: Count = 500
    """Steps between checkpoints."""
    initial: InitialConfig = InitialConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = OptimiserConfig()
    validation: ValidationConfig = ValidationConfig()

    @property
    def steps(self) -> int:
        """Return the number of steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    @property
    def uses_cache(self) -> bool:
        """Return whether features are cached; then only the layers after them are trained."""
        return any(phase.cached_samples for phase in self.phases)


def read_config(path: Path) -> TrainingConfig:
    """
    Read the configuration of a run from a YAML file.

    :raises ConfigError: the file is missing or is not YAML, or a key or value is not valid.
    """
    config = parse(TrainingConfig, read_yaml(path), str(path))
    check_config(config, str(path))
    return config


def check_config(config: TrainingConfig, where: str) -> None:
    """
    Check what the types of a configuration do not tell.

    :param where: its name in error messages.
    :raises ConfigError: a value is not valid, or does not go with another one.
    """
    try:
        preset(config.model)
    except ConfigError as error:
        raise ConfigError(f'{where}: {error}') from error
    if config.precision not in ('float32', 'bfloat16'):
        raise ConfigError(f'{where}: precision {config.precision!r}; float32 or bfloat16 expected')
    if not config.phases:
        raise ConfigError(f'{where}: phases: at least one expected')
    if not any(source.weight for source in config.sources):
        raise ConfigError(f'{where}: sources: at least one with a weight above 0 expected')
    if config.minutes and len(config.phases) > 1:
        raise ConfigError(
            f'{where}: minutes {config.minutes:g} with {len(config.phases)} phases; one expected'
        )
    _check_size(config.validation.height, config.validation.width, f'{where}: validation')
    for number, phase in enumerate(config.phases):
        _check_phase(config, phase, f'{where}: phases[{number}]')


def _check_phase(config: TrainingConfig, phase: PhaseConfig, where: str) -> None:
    _check_size(phase.height, phase.width, where)
    for number, size in enumerate(phase.sizes):
        if len(size) != 2:
            raise ConfigError(f'{where}: sizes[{number}]: height and width expected')
        _check_size(*size, f'{where}: sizes[{number}]')
    if phase.sizes and phase.cached_samples:
        raise ConfigError(f'{where}: sizes and cached_samples: cached features have one size')
    if not phase.strides:
        raise ConfigError(f'{where}: strides: at least one expected')
    if phase.loss_frames % 2 or phase.loss_frames > phase.frames:
        raise ConfigError(
            f'{where}: loss_frames {phase.loss_frames}, an even number of at most '
            f'{phase.frames} (frames) expected'
        )
    if phase.cached_samples or phase.frame_repeats != 1:
        _check_cache(config, phase, where)


def _check_size(height: int, width: int, where: str) -> None:
    if height % PATCH or width % PATCH:
        raise ConfigError(
            f'{where}: height {height}, width {width}; multiples of {PATCH} expected'
        )


def _check_cache(config: TrainingConfig, phase: PhaseConfig, where: str) -> None:
    rates = config.optimiser.rates
    recurrent = config.temporal and isinstance(preset(config.model).temporal, TemporalConfig)
    if not recurrent or rates.encoder or rates.fusion or rates.context:
        raise ConfigError(
            f'{where}: cached_samples and frame_repeats need a model with a recurrent temporal '
            'module, and optimiser rates 0 for encoder, fusion and context'
        )
    if not phase.cached_samples:
        raise ConfigError(f'{where}: frame_repeats needs cached_samples of at least 1')
    if not all(each.cached_samples for each in config.phases):
        raise ConfigError(f'{where}: cached_samples must be set in all phases or in none')
