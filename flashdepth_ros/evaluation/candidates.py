"""What is evaluated: models with their settings, and recorded predictions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flashdepth_ros.bags.scale import is_scaled
from flashdepth_ros.errors import ConfigError, FlashDepthError
from flashdepth_ros.evaluation.damage import reason
from flashdepth_ros.evaluation.host import device_name
from flashdepth_ros.network.presets import preset
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.engines.exported_model import is_exported
from flashdepth_ros.runtime.scale import ScaleSettings
from flashdepth_ros.runtime.setting_description import update
from flashdepth_ros.runtime.settings import create_estimator, weights_path
from flashdepth_ros.runtime.weights import file_sha256
from flashdepth_ros.runtime.windows import check_windows, has_windows

#: Keys of the --model option that have a setting.
_SETTINGS = {
    'weights': 'weights',
    'temporal': 'temporal',
    'short_side': 'inference.short_side',
    'long_side_max': 'inference.long_side_max',
    'precision': 'precision',
    'engine': 'engine',
    'device': 'device',
    'scale_source': 'scale.source',
    'scale_model': 'scale.model',
    'camera_height': 'scale.camera_height',
}
#: Keys of the --model option that need a recording.
RECORDING_KEYS = ('scale_source', 'scale_model', 'camera_height', 'window', 'scale_from')
#: All keys of the --model option, and those for still images.
KEYS = (*_SETTINGS, 'window', 'scale_from', 'label')
STILL_KEYS = tuple(key for key in KEYS if key not in RECORDING_KEYS)
_NUMBERS = ('short_side', 'long_side_max')
_SWITCH = {'on': True, 'off': False}


@dataclass(frozen=True)
class ModelCandidate:
    """A network with its settings, and its name in the report."""

    settings: ScaleSettings
    label: str
    windows: bool = False
    """Whether it estimates in windows of a video, not frame by frame as the live node."""
    scale_from: str = ''
    """The topic that its scale is fitted to; '': see `scale.source`."""

    @property
    def is_scaled(self) -> bool:
        """Whether its scale is fitted."""
        return is_scaled(self.settings, self.scale_from)

    def estimator(self) -> DepthEstimator:
        """
        Return the estimator.

        :raises ConfigError: this computer does not have the device.
        :raises CheckpointError: the weights are missing or do not match the model.
        """
        return create_estimator(self.settings, self.windows)

    def facts(self, estimator: DepthEstimator) -> dict[str, str]:
        """Return what is needed to reproduce the predictions, as text."""
        weights = weights_path(self.settings)
        device, setting = estimator.engine.device, self.settings.device
        source = self.settings.scale_source
        short_side, long_side = estimator.size.limits(estimator.config)
        return {
            'model': self.settings.model,
            'weights': weights.name,
            'weights_sha256': file_sha256(weights),
            'temporal': 'on' if self.settings.temporal else 'off',
            **({'window': 'on'} if self.windows else {}),
            **({'scale_from': self.scale_from or source} if self.is_scaled else {}),
            'short_side_px': str(short_side),
            'long_side_max_px': str(long_side),
            'device': setting if setting == 'intel_gpu' else str(device),
            'device_name': device_name(setting, str(device)),
            'precision': estimator.engine.precision,
            'engine': estimator.engine.name,
        }


@dataclass(frozen=True)
class RecordedCandidate:
    """Depth images in another bag, written by `flashdepth infer` or another estimator."""

    path: Path
    topic: str
    label: str

    def bag_for(self, bag: Path) -> Path:
        """Return the bag of predictions for `bag`: the path, or the bag of that name inside it."""
        is_folder = self.path.is_dir() and not (self.path / 'metadata.yaml').exists()
        return self.path / bag.name if is_folder else self.path

    def facts(self) -> dict[str, str]:
        """Return what is needed to reproduce the predictions, as text."""
        return {'predictions': str(self.path), 'topic': self.topic or 'the only depth topic'}


Candidate = ModelCandidate | RecordedCandidate


@dataclass
class Loaded:
    """The candidates on this computer, by label."""

    estimators: dict[str, DepthEstimator] = field(default_factory=dict)
    """Of the models; used for one bag after the other."""
    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    """What is needed to reproduce each candidate."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why a model could not be loaded."""


def load(candidates: Sequence[Candidate]) -> Loaded:
    """
    Load the models; one that this computer cannot load does not stop the others.

    :raises ConfigError: this computer does not have a device.
    :raises CheckpointError: weights are missing or do not match the model.
    """
    loaded = Loaded()
    for each in candidates:
        if isinstance(each, RecordedCandidate):
            loaded.facts[each.label] = each.facts()
            continue
        try:
            estimator = each.estimator()
            loaded.facts[each.label] = each.facts(estimator)
            loaded.estimators[each.label] = estimator
        except FlashDepthError:
            raise
        except Exception as error:  # noqa: BLE001 - for example, the memory is full
            loaded.failures[each.label] = f'cannot be loaded: {reason(error)}'
            loaded.facts[each.label] = {'model': each.settings.model}
    return loaded


def parse_model(
    text: str,
    defaults: ScaleSettings,
    windows: bool = False,
    scale_from: str = '',
    keys: tuple[str, ...] = KEYS,
) -> ModelCandidate:
    """
    Return the candidate for `NAME` or `NAME,key=value,...`.

    :param windows: whether it estimates in windows if the key `window` is not given and it can.
    :param scale_from: the topic that its scale is fitted to if that key is not given.
    :param keys: those that are allowed.
    :raises ConfigError: an unknown name, key or value, or the model has no windows.
    """
    name, given = _split(text, keys)
    scale_from = given.pop('scale_from', scale_from)
    label = given.pop('label', text)
    if (switch := given.pop('window', '')) and switch not in _SWITCH:
        raise ConfigError(f'{text!r}: window {switch!r}; expected on or off')
    changes = {_SETTINGS[key]: _value(key, value) for key, value in given.items()}
    settings = update(defaults, {'model': name, **changes})
    can = has_windows(preset(name)) and not is_exported(settings.weights)
    windows = _SWITCH.get(switch, windows and settings.temporal and can)
    if windows:
        check_windows(preset(name), settings.temporal)
    return ModelCandidate(settings, label, windows, scale_from)


def parse_recorded(text: str) -> RecordedCandidate:
    """
    Return the candidate for `BAG` or `BAG,key=value,...`; the keys are `topic` and `label`.

    :raises ConfigError: an unknown key, or the bag does not exist.
    """
    name, given = _split(text, ('topic', 'label'))
    path = Path(name)
    if not path.exists():
        raise ConfigError(f'predictions {name!r}: no such bag or folder of bags')
    return RecordedCandidate(path, given.get('topic', ''), given.get('label', path.name))


def check_labels(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """
    Return the candidates after checking that their labels differ.

    :raises ConfigError: two candidates have the same label.
    """
    labels = [candidate.label for candidate in candidates]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(
                f'several candidates have the label {label!r}; add ,label=NAME to each'
            )
    return tuple(candidates)


def _value(key: str, text: str) -> Any:
    """Return the value of a setting; the settings check it."""
    if key == 'temporal':
        return _SWITCH.get(text, text)
    if key == 'camera_height':
        with suppress(ValueError):
            return float(text)
    return int(text) if key in _NUMBERS and text.isdigit() else text


def _split(text: str, keys: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    name, *rest = text.split(',')
    given = {key: value for key, _, value in (each.partition('=') for each in rest)}
    unknown = [key for key in given if key not in keys]
    if unknown:
        key = unknown[0]
        wrong = f'{key} needs a recording' if key in RECORDING_KEYS else f'unknown key {key!r}'
        raise ConfigError(f'{text!r}: {wrong}; expected one of {", ".join(keys)}')
    return name, given
