"""Frozen configurations of a training run, read from YAML."""

from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import GenericAlias
from typing import Any, TypeVar, cast, get_args, get_type_hints

import yaml

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network.config import PATCH, TemporalConfig
from flashdepth_ros.network.presets import preset
from flashdepth_ros.training.losses import LossConfig

T = TypeVar('T')


@dataclass(frozen=True)
class SourceConfig:
    """A folder of training videos."""

    root: str
    kind: str = 'clips'
    """`clips`, or a public data set: see `sources.KINDS`."""
    weight: float = 1.0
    """Relative share of the samples drawn from this source, independent of its size."""


@dataclass(frozen=True)
class PhaseConfig:
    """A part of the training with one resolution and clip length."""

    steps: int
    height: int
    width: int
    frames: int = 5
    batch: int = 8
    """Clips per step, over all processes."""
    strides: tuple[int, ...] = (1, 2, 3, 4)
    """Distances between successive frames of a clip; one is drawn for each clip."""
    loss_frames: int = 0
    """
    Number of frames per clip that enter the loss: the first two, and pairs spread over the rest.

    The others only update the state, which makes long clips cheaper. 0: all frames.
    """
    cached_samples: int = 0
    """
    Number of samples whose features before temporal alignment are cached in the output folder.

    Training repeats these samples and trains only the layers after the features. 0: no cache.
    """
    frame_repeats: int = 1
    """How often each frame updates the state: simulates longer clips, needs `cached_samples`."""


@dataclass(frozen=True)
class AugmentationConfig:
    """Random changes, the same for all frames of a clip."""

    zoom: float = 1.2
    """Largest zoom; depth is not rescaled, so keep it near 1 without `canonical_focal`."""
    flip: bool = True
    colour: float = 0.2
    """Largest relative change of brightness, contrast, saturation, gamma and white balance."""


@dataclass(frozen=True)
class RatesConfig:
    """Peak learning rate of each part of the model; 0 freezes the part."""

    encoder: float = 5e-4
    decoder: float = 5e-4
    temporal: float = 5e-4
    fusion: float = 5e-4
    context: float = 0.0


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW and Muon: linear warm-up, then a half cosine down to `final_rate` times the peak."""

    rates: RatesConfig = RatesConfig()
    warmup_steps: int = 1000
    final_rate: float = 0.02
    weight_decay: float = 0.02
    epsilon: float = 1e-8
    clip_norm: float = 1.0
    muon: bool = False
    """Whether Muon trains the matrices in blocks; needs fewer steps from scratch."""
    ema_decay: float = 0.0
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
    max_memory_tokens: float = 0.0
    """Limit for the time constants of the recurrence, tokens; 0: no limit."""
    typical_depth_m: float = 4.0
    """Mean depth predicted by an output layer from scratch, m."""


@dataclass(frozen=True)
class ValidationConfig:
    """Regular validation on complete sequences."""

    sources: tuple[SourceConfig, ...] = ()
    every: int = 1000
    """Steps between validations; each also writes a checkpoint."""
    videos: int = 8
    """Number of videos, evenly spread over the sources."""
    frames: int = 32
    """Number of frames, from the start of each video."""
    height: int = 0
    """Size of the network input, px; 0: that of the last phase."""
    width: int = 0


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
    seed: int = 0
    precision: str = 'float32'
    """`float32`, or `bfloat16` for automatic mixed precision."""
    compile: bool = False
    workers: int = 1
    """Data loader processes per training process; 0: load in the training process."""
    minutes: float = 0.0
    """
    Time of the run, in which its only phase ends and the rate falls; 0: the steps decide.

    For a machine that can be had for a time; such a run does not repeat bit for bit.
    """
    save_every: int = 500
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


def read_yaml(path: Path) -> object:
    """
    Return the content of a YAML file.

    :raises ConfigError: the file is missing or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f'{path}: not a readable YAML file ({error})') from error


def parse(kind: type[T], content: object, where: str) -> T:
    """
    Build the dataclass `kind`, and the dataclasses in it, from a mapping.

    :param where: name of the mapping in error messages.
    :raises ConfigError: a key is unknown or missing, or a value has the wrong type.
    """
    if not isinstance(content, dict):
        raise ConfigError(f'{where}: {content!r} given, a mapping expected')
    hints = get_type_hints(kind)
    unknown = [key for key in content if key not in hints]
    if unknown:
        raise ConfigError(f'{where}: unknown {unknown[0]!r}; one of {", ".join(hints)} expected')
    values = {key: _value(hints[key], value, f'{where}: {key}') for key, value in content.items()}
    try:
        return kind(**values)
    except TypeError as error:
        missing = [f.name for f in fields(cast(Any, kind)) if f.name not in content]
        raise ConfigError(f'{where}: incomplete ({error}); keys not given: {missing}') from error


def _value(hint: Any, value: object, where: str) -> Any:
    if isinstance(hint, GenericAlias):
        if not isinstance(value, list):
            raise ConfigError(f'{where}: {value!r} given, a list expected')
        item = get_args(hint)[0]
        return tuple(_value(item, each, f'{where}[{i}]') for i, each in enumerate(value))
    if is_dataclass(hint):
        return parse(cast(type, hint), value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f'{where}: {value!r} given, {hint.__name__} expected')
    return value


def check_config(config: TrainingConfig, where: str) -> None:
    """
    Check what the types of a configuration do not tell.

    :param where: its name in error messages.
    :raises ConfigError: a value is not valid, or does not go with another one.
    """
    preset(config.model)
    if config.precision not in ('float32', 'bfloat16'):
        raise ConfigError(f'{where}: precision {config.precision!r}; float32 or bfloat16 expected')
    if not config.phases or not config.sources:
        raise ConfigError(f'{where}: at least one phase and one source expected')
    _check_minutes(config, where)
    for phase in config.phases:
        if phase.height % PATCH or phase.width % PATCH or not phase.strides:
            raise ConfigError(
                f'{where}: {phase}: height and width must be multiples of {PATCH}, with strides'
            )
        if min(phase.steps, phase.frames, phase.batch, *phase.strides) < 1:
            raise ConfigError(
                f'{where}: {phase}: steps, frames, batch and strides must be 1 or more'
            )
        if phase.loss_frames % 2 or not 0 <= phase.loss_frames <= phase.frames:
            raise ConfigError(f'{where}: {phase}: loss_frames must be even and at most frames')
        if phase.cached_samples or phase.frame_repeats != 1:
            _check_cache(config, phase, where)


def _check_minutes(config: TrainingConfig, where: str) -> None:
    if config.minutes < 0 or (config.minutes and len(config.phases) > 1):
        raise ConfigError(
            f'{where}: minutes {config.minutes:g} with {len(config.phases)} phases; more than 0 '
            'minutes with one phase expected, or 0'
        )


def _check_cache(config: TrainingConfig, phase: PhaseConfig, where: str) -> None:
    rates = config.optimiser.rates
    recurrent = config.temporal and isinstance(preset(config.model).temporal, TemporalConfig)
    if not recurrent or rates.encoder or rates.fusion or rates.context:
        raise ConfigError(
            f'{where}: {phase}: cached_samples and frame_repeats need a recurrent temporal '
            'module, and rate 0 for encoder, fusion and context'
        )
    if phase.cached_samples < 1 or phase.frame_repeats < 1:
        raise ConfigError(f'{where}: {phase}: frame_repeats >= 1 and cached_samples >= 1 expected')
    if not all(each.cached_samples for each in config.phases):
        raise ConfigError(f'{where}: {phase}: cached_samples must be set in all phases or in none')
