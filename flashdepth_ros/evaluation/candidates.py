"""What is judged: models in some setting, and predictions that were recorded before."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
import hashlib
from pathlib import Path
from typing import Any

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network.config import preset
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.weights import find_weights


@dataclass(frozen=True)
class ModelCandidate:
    """A network in a setting; the fields are those of `DepthEstimator`."""

    model: str = 'flashdepth-tiny'
    weights: str = ''
    temporal: bool = True
    short_side: int = 0
    precision: str = 'auto'
    engine: str = 'auto'
    device: str = 'auto'
    label: str = ''
    """What the report calls it; '': what it was asked for by."""

    @property
    def weights_file(self) -> Path:
        """Return where the weights lie; CheckpointError where they do not."""
        return Path(self.weights) if self.weights else find_weights(preset(self.model))

    def estimator(self) -> DepthEstimator:
        """
        Return the estimator.

        :raises ConfigError: a setting that is not known.
        :raises CheckpointError: weights that are missing or do not fit.
        """
        return DepthEstimator(
            self.model,
            self.weights_file,
            self.device,
            self.precision,
            self.engine,
            self.temporal,
            self.short_side,
        )

    def facts(self, estimator: DepthEstimator) -> dict[str, str]:
        """Return what it takes to have the same again, in words."""
        short_side = self.short_side or estimator.config.short_side
        return {
            'model': self.model,
            'weights': self.weights_file.name,
            'weights_sha256': hashlib.sha256(self.weights_file.read_bytes()).hexdigest(),
            'temporal': 'on' if self.temporal else 'off',
            'short side': f'{short_side} px',
            'device': str(estimator.engine.device),
            'precision': estimator.engine.precision,
            'engine': estimator.engine.name,
        }


@dataclass(frozen=True)
class RecordedCandidate:
    """Depth images in another bag: what `flashdepth infer` writes, or any other estimator."""

    path: Path
    topic: str = ''
    label: str = ''

    def bag_for(self, bag: Path) -> Path:
        """Return the bag of predictions for this one: the path, or the bag of that name in it."""
        inside = self.path / bag.name
        is_folder = self.path.is_dir() and not (self.path / 'metadata.yaml').exists()
        return inside if is_folder else self.path

    def facts(self) -> dict[str, str]:
        """Return what it takes to have the same again, in words."""
        return {'predictions': str(self.path), 'topic': self.topic or 'the only one of depth'}


Candidate = ModelCandidate | RecordedCandidate


def parse_model(text: str, defaults: ModelCandidate) -> ModelCandidate:
    """
    Return the candidate of `NAME` or `NAME,key=value,...`; keys are the fields.

    :raises ConfigError: a name, key or value that is not known.
    """
    name, settings = _split(text, [field.name for field in fields(ModelCandidate)][1:])
    preset(name)
    values = {key: _value(key, value) for key, value in settings.items()}
    return replace(defaults, **{'label': text, **values, 'model': name})


def parse_recorded(text: str) -> RecordedCandidate:
    """
    Return the candidate of `BAG` or `BAG,key=value,...`; keys are topic and label.

    :raises ConfigError: another key, or no such bag.
    """
    name, settings = _split(text, ['topic', 'label'])
    path = Path(name)
    if not path.exists():
        raise ConfigError(f'predictions {name!r}: no such bag or folder of bags')
    return RecordedCandidate(path, settings.get('topic', ''), settings.get('label', path.name))


def told_apart(candidates: list[Candidate]) -> list[Candidate]:
    """
    Return the candidates, if each has a label of its own.

    :raises ConfigError: two have the same.
    """
    labels = [candidate.label for candidate in candidates]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ConfigError(f'several candidates are called {twice[0]!r}; add ,label=NAME to each')
    return candidates


def switch(text: str) -> bool:
    """Return whether a switch is `on`; ConfigError for what is neither on nor off."""
    if text not in ('on', 'off'):
        raise ConfigError(f'temporal {text!r}; on or off')
    return text == 'on'


def _value(key: str, text: str) -> Any:
    if key == 'temporal':
        return switch(text)
    if key != 'short_side':
        return text
    if not text.isdigit():
        raise ConfigError(f'short_side {text!r}; a number of pixels')
    return int(text)


def _split(text: str, keys: list[str]) -> tuple[str, dict[str, str]]:
    name, *rest = text.split(',')
    settings = dict(each.partition('=')[::2] for each in rest)
    unknown = [key for key in settings if key not in keys]
    if unknown or not name:
        raise ConfigError(
            f'{text!r}: {unknown[:1]} is no setting; write NAME,{"=...,".join(keys)}=...'
        )
    return name, settings
