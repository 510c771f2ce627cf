"""What is judged: models in some setting, and predictions that were recorded before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.settings import Settings, create_estimator, update, weights_of
from flashdepth_ros.runtime.weights import digest_of

#: What can be set of a model, and the name of that setting.
KEYS = {
    'weights': 'weights',
    'temporal': 'temporal',
    'short_side': 'inference.short_side',
    'long_side_max': 'inference.long_side_max',
    'precision': 'precision',
    'engine': 'engine',
    'device': 'device',
}
_NUMBERS = ('short_side', 'long_side_max')
_SWITCH = {'on': True, 'off': False}


@dataclass(frozen=True)
class ModelCandidate:
    """A network in a setting, and what the report calls it."""

    settings: Settings
    label: str

    def estimator(self) -> DepthEstimator:
        """
        Return the estimator.

        :raises ConfigError: a device that this machine does not have.
        :raises CheckpointError: weights that are missing or do not fit.
        """
        return create_estimator(self.settings)

    def facts(self, estimator: DepthEstimator) -> dict[str, str]:
        """Return what it takes to have the same again, in words."""
        weights = weights_of(self.settings)
        short_side = self.settings.inference_short_side or estimator.config.short_side
        return {
            'model': self.settings.model,
            'weights': weights.name,
            'weights_sha256': digest_of(weights),
            'temporal': 'on' if self.settings.temporal else 'off',
            'short_side_px': str(short_side),
            'device': str(estimator.engine.device),
            'precision': estimator.engine.precision,
            'engine': estimator.engine.name,
        }


@dataclass(frozen=True)
class RecordedCandidate:
    """Depth images in another bag: what `flashdepth infer` writes, or any other estimator."""

    path: Path
    topic: str
    label: str

    def bag_for(self, bag: Path) -> Path:
        """Return the bag of predictions for this one: the path, or the bag of that name in it."""
        is_folder = self.path.is_dir() and not (self.path / 'metadata.yaml').exists()
        return self.path / bag.name if is_folder else self.path

    def facts(self) -> dict[str, str]:
        """Return what it takes to have the same again, in words."""
        return {'predictions': str(self.path), 'topic': self.topic or 'the only one of depth'}


Candidate = ModelCandidate | RecordedCandidate


def parse_model(text: str, defaults: Settings) -> ModelCandidate:
    """
    Return the candidate of `NAME` or `NAME,key=value,...`; keys are those of KEYS, and label.

    :raises ConfigError: a name, key or value that is not known.
    """
    name, given = _split(text, (*KEYS, 'label'))
    label = given.pop('label', text)
    changes = {KEYS[key]: _value(key, value) for key, value in given.items()}
    return ModelCandidate(update(defaults, {'model': name, **changes}), label)


def parse_recorded(text: str) -> RecordedCandidate:
    """
    Return the candidate of `BAG` or `BAG,key=value,...`; keys are topic and label.

    :raises ConfigError: another key, or no such bag.
    """
    name, given = _split(text, ('topic', 'label'))
    path = Path(name)
    if not path.exists():
        raise ConfigError(f'predictions {name!r}: no such bag or folder of bags')
    return RecordedCandidate(path, given.get('topic', ''), given.get('label', path.name))


def told_apart(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """
    Return the candidates, if each has a label of its own.

    :raises ConfigError: two have the same.
    """
    labels = [candidate.label for candidate in candidates]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(f'several candidates are called {label!r}; add ,label=NAME to each')
    return tuple(candidates)


def _value(key: str, text: str) -> Any:
    """Return the value of a setting; what it may be is for the settings to say."""
    if key == 'temporal':
        return _SWITCH.get(text, text)
    return int(text) if key in _NUMBERS and text.isdigit() else text


def _split(text: str, keys: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    name, *rest = text.split(',')
    given = {key: value for key, _, value in (each.partition('=') for each in rest)}
    unknown = [key for key in given if key not in keys]
    if unknown:
        raise ConfigError(f'{text!r}: no setting {unknown[0]!r}; one of {", ".join(keys)}')
    return name, given
