"""Presets whose weights have the same entries, told apart by the name of the file."""

from collections.abc import Mapping
from pathlib import Path

from flashdepth_ros.network.config import ModelConfig
from flashdepth_ros.network.presets import PRESETS


def same_architecture(config: ModelConfig) -> list[ModelConfig]:
    """Return the presets with the entries and shapes of this one, which is among them."""
    return [other for other in PRESETS.values() if _architecture(other) == _architecture(config)]


def _architecture(config: ModelConfig) -> tuple[object, ...]:
    return config.encoder, config.decoder, config.temporal, config.fusion


def choose_by_name(
    presets: list[ModelConfig], path: Path, notes: Mapping[str, str]
) -> list[ModelConfig]:
    """
    Return those of the presets that the metadata or else the name of a weights file allows.

    :param presets: with the same architecture.
    :param notes: the metadata of the file.
    """
    if 'preset' in notes:
        return [config for config in presets if config.name == notes['preset']]
    words = path.stem.lower().replace('-', '_')
    if 'depth_anything' not in words:
        return presets
    indoor = 'indoor' in words or 'hypersim' in words
    outdoor = 'outdoor' in words or 'kitti' in words
    metric = indoor or outdoor or 'metric' in words
    chosen = [config for config in presets if config.metric == metric]
    for place, named in (('indoor', indoor), ('outdoor', outdoor)):
        if named:
            chosen = [config for config in chosen if place in config.name]
    return chosen


def contradiction(config: ModelConfig, path: Path, notes: Mapping[str, str]) -> str:
    """Return in one sentence that a file is named as of another preset than `config`; '': no."""
    presets = same_architecture(config)
    if len(presets) == 1:
        return ''
    named = choose_by_name(presets, path, notes)
    if config in named:
        return ''
    if 'preset' in notes:
        says = f'is marked as {notes["preset"]}'
    elif named:
        says = f'has a name of {" or ".join(each.name for each in named)}'
    else:
        says = 'has the name of another model'
    return (
        f'{path} {says}, but is loaded as {config.name}: their weights look alike, but not what '
        'they put out; select the model that the file is for'
    )
