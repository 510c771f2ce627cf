"""What a training run is made of: frozen configurations, read from YAML."""

from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import GenericAlias
from typing import Any, TypeVar, cast, get_args, get_type_hints

import yaml

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network.config import PATCH, preset
from flashdepth_ros.training.losses import LossConfig

T = TypeVar('T')


@dataclass(frozen=True)
class SourceConfig:
    """A folder of videos."""

    root: str
    kind: str = 'clips'
    """`clips`, or a real set: see `sources.KINDS`."""
    weight: float = 1.0
    """Share of the clips that come from this source, against the others; not of its size."""


@dataclass(frozen=True)
class PhaseConfig:
    """A stretch of training at one resolution and clip length."""

    steps: int
    height: int
    width: int
    frames: int = 5
    batch: int = 8
    """Clips in a step, over all processes together."""
    strides: tuple[int, ...] = (1, 2, 3, 4)
    """Distances between the frames of a clip, one drawn for each clip."""
    judged: int = 0
    """
    How many frames of a clip count, the first two and pairs spread over the others; 0: all. Long
    clips cost less so.
    """
    kept: int = 0
    """
    So many samples are drawn, what is seen in them before frames are aligned is kept in the output
    folder, and steps go through these over and over: what comes after learns. 0: always new ones.
    """
    repeats: int = 1
    """How often each frame passes through the state: clips of few frames a second last longer."""


@dataclass(frozen=True)
class AugmentationConfig:
    """What is changed at random, for all frames of a clip alike."""

    zoom: float = 1.2
    """Largest enlargement. Metres are kept: mild for a preset without `canonical_focal`."""
    flip: bool = True
    colour: float = 0.2
    """Largest change of brightness, contrast, saturation, gamma and white balance, a share."""


@dataclass(frozen=True)
class RatesConfig:
    """Peak learning rates of the parts of the model; 0 freezes a part."""

    encoder: float = 5e-4
    decoder: float = 5e-4
    temporal: float = 5e-4
    fusion: float = 5e-4
    context: float = 0.0


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW, or Muon: linear warm-up, then a half cosine down to `final_rate` of the peak."""

    rates: RatesConfig = RatesConfig()
    warmup_steps: int = 1000
    final_rate: float = 0.02
    weight_decay: float = 0.02
    epsilon: float = 1e-8
    clip_norm: float = 1.0
    muon: bool = False
    """Whether matrices within blocks learn by Muon: from scratch that takes fewer steps."""
    average: float = 0.0
    """Decay of the running average of the weights, which is what gets shown; 0: none."""


@dataclass(frozen=True)
class InitialConfig:
    """Weights to begin with, `.safetensors` or `.pth`; empty: from scratch."""

    student: str = ''
    """All but the context branch; a file without temporal module or fusion leaves it new."""
    context: str = ''
    """A model whose encoder and decoder become the context branch, or a hybrid that has one."""
    new_fusion: bool = False
    """Whether the fusion, even a trained one, begins anew, without effect."""
    new_memory: bool = False
    """Whether the recurrence, even a trained one, begins anew with long memories."""
    longest_memory: float = 0.0
    """Tokens after which every head of the recurrence forgets at the latest; 0: as it is."""
    typical_depth_m: float = 4.0
    """What an output layer from scratch says at first, m."""


@dataclass(frozen=True)
class ValidationConfig:
    """Whole sequences from the sources named here, shown every so many steps."""

    sources: tuple[SourceConfig, ...] = ()
    every: int = 1000
    """Steps between validations; a checkpoint is written with each."""
    videos: int = 8
    """How many, evenly spread over the sources."""
    frames: int = 32
    """The first so many of each video."""
    height: int = 0
    """Size, px; 0: that of the last phase."""
    width: int = 0


@dataclass(frozen=True)
class TrainingConfig:
    """A whole run."""

    model: str
    output: str
    """Folder for checkpoints, weights and curves."""
    sources: tuple[SourceConfig, ...]
    phases: tuple[PhaseConfig, ...]
    temporal: bool = True
    """False: the preset without its temporal module, to measure what that is worth."""
    seed: int = 0
    precision: str = 'float32'
    """`float32`, or `bfloat16` for automatic mixed precision."""
    compile: bool = False
    workers: int = 1
    """Loader processes for each training process; 0: none."""
    save_every: int = 500
    """Steps between checkpoints."""
    initial: InitialConfig = InitialConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = OptimiserConfig()
    validation: ValidationConfig = ValidationConfig()

    @property
    def steps(self) -> int:
        """Return the steps of all phases together."""
        return sum(phase.steps for phase in self.phases)

    @property
    def keeps(self) -> bool:
        """Tell whether samples are kept: then only what aligns frames, and comes after, learns."""
        return any(phase.kept for phase in self.phases)


def read_config(path: Path) -> TrainingConfig:
    """
    Read a run from a YAML file.

    :raises ConfigError: no such file, no YAML, an unknown or missing key, or an unusable value.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f'{path}: not a readable YAML file ({error})') from error
    config = parse(TrainingConfig, content, str(path))
    _check(config, str(path))
    return config


def parse(kind: type[T], content: object, where: str) -> T:
    """
    Build the dataclass `kind` from a mapping, and what is in it likewise.

    :param where: what to call the mapping in errors.
    :raises ConfigError: a key is unknown or missing, or a value of another type.
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
        raise ConfigError(f'{where}: incomplete ({error}); not given: {missing}') from error


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


def _check(config: TrainingConfig, where: str) -> None:
    preset(config.model)
    if config.precision not in ('float32', 'bfloat16'):
        raise ConfigError(f'{where}: precision {config.precision!r}; float32 or bfloat16 expected')
    if not config.phases or not config.sources:
        raise ConfigError(f'{where}: at least one phase and one source expected')
    for phase in config.phases:
        if phase.height % PATCH or phase.width % PATCH or not phase.strides:
            raise ConfigError(
                f'{where}: {phase}: height and width must be multiples of {PATCH}, strides given'
            )
        if phase.judged % 2 or not 0 <= phase.judged <= phase.frames:
            raise ConfigError(f'{where}: {phase}: judged must be even, and at most all frames')
        if phase.kept or phase.repeats != 1:
            _check_kept(config, phase, where)


def _check_kept(config: TrainingConfig, phase: PhaseConfig, where: str) -> None:
    rates = config.optimiser.rates
    if not config.temporal or rates.encoder or rates.fusion or rates.context:
        raise ConfigError(
            f'{where}: {phase}: samples can be kept where all rates but temporal and decoder are 0'
        )
    if phase.kept < 1 or phase.repeats < 1:
        raise ConfigError(f'{where}: {phase}: 1 or more repeats of samples that are kept expected')
    if not all(each.kept for each in config.phases):
        raise ConfigError(f'{where}: {phase}: samples of all phases or of none can be kept')
