"""Weights in and out of files: strict, and never by running what a file holds."""

from collections.abc import Mapping
from pathlib import Path
import pickle
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
import torch
from torch import Tensor

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import names
from flashdepth_ros.network.config import LEVELS, PRESETS, ModelConfig
from flashdepth_ros.network.flashdepth import FlashDepth

_NAMED = 3
"""How many of the entries that do not fit an error spells out."""


def load_weights(model: FlashDepth, weights: str | Path | Mapping[str, Tensor]) -> None:
    """
    Fill `model` with weights, every one of its entries and no others.

    :param weights: a `.pth` or `.safetensors` file, or a state dict; released names or ours.
    :raises CheckpointError: the file cannot be read or may not be, or an entry is missing,
        unexpected or of another shape; the message names the first few, and the preset they fit.
    """
    source = str(weights) if isinstance(weights, (str, Path)) else 'state dict'
    entries = read_weights(weights) if isinstance(weights, (str, Path)) else _unwrapped(weights)
    entries = _in_our_names(entries, model.config)
    problems = _problems(entries, _shapes(model.config))
    if problems:
        raise CheckpointError(
            f'{source} does not fit preset {model.config.name}: {"; ".join(problems)}. '
            + _advice(entries)
        )
    model.load_state_dict(entries)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """
    Read the state dict of a `.pth` or `.safetensors` file, under the names it has there.

    :raises CheckpointError: no such file, another kind of file, or more in it than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f'{path}: no such file; give the path of a .pth or .safetensors')
    if path.suffix == '.safetensors':
        return _read_safetensors(path)
    if path.suffix not in ('.pth', '.pt'):
        raise CheckpointError(f'{path}: {path.suffix!r} is not read; .pth or .safetensors is')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise CheckpointError(
            f'{path}: refused, it holds something else than tensors or is damaged '
            f'({str(error).splitlines()[0]}). Convert it where you trust it'
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f'{path}: holds a {type(content).__name__}, a state dict expected')
    return _unwrapped(content)


def metadata(path: str | Path) -> dict[str, str]:
    """Return what a `.safetensors` file says of itself: preset, origin, license; else nothing."""
    if Path(path).suffix != '.safetensors':
        return {}
    with _opened(Path(path)) as file:
        return dict(file.metadata() or {})


def fitting_preset(entries: Mapping[str, Tensor]) -> ModelConfig | None:
    """Return the preset that these weights fill exactly, if there is one."""
    for config in PRESETS.values():
        if not _problems(_in_our_names(entries, config), _shapes(config)):
            return config
    return None


def convert(source: Path, destination: Path, dtype: torch.dtype) -> dict[str, str]:
    """
    Write the weights alone of `source` as `.safetensors` with origin and license.

    :return: the metadata written.
    :raises CheckpointError: `source` cannot be read or fits no preset.
    """
    if destination.suffix != '.safetensors':
        raise CheckpointError(f'{destination}: the name of the result must end in .safetensors')
    entries = read_weights(source)
    config = fitting_preset(entries)
    if config is None:
        raise CheckpointError(f'{source} fits no preset; one of {", ".join(PRESETS)} expected')
    known = metadata(source)
    notes = {
        'preset': config.name,
        'origin': known.get('origin', source.name),
        'license': known.get('license', config.weights_license),
    }
    save_weights(_in_our_names(entries, config), destination, dtype, notes)
    return notes


def save_weights(
    entries: Mapping[str, Tensor], path: Path, dtype: torch.dtype, notes: dict[str, str]
) -> None:
    """Write a state dict as `.safetensors`, all in `dtype`, with `notes` as its metadata."""
    tensors = {
        name: entry.detach().to('cpu', dtype).contiguous() for name, entry in entries.items()
    }
    save_file(tensors, path, metadata=notes)


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework='pt')
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f'{path}: not a safetensors file, or damaged ({error})') from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _unwrapped(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state dict inside a training checkpoint, or the state dict that it already is."""
    inner = content.get('model', content)
    if not isinstance(inner, Mapping) or not inner:
        raise CheckpointError("no state dict found, neither at the top nor under 'model'")
    strange = [name for name, entry in inner.items() if not isinstance(entry, Tensor)]
    if strange:
        raise CheckpointError(f'{len(strange)} entries are no tensors, first {strange[:_NAMED]}')
    return {name.removeprefix('module.'): entry for name, entry in inner.items()}


def _in_our_names(entries: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    level = config.fusion.level if config.fusion else LEVELS[0]
    named = {names.ours(name, level): entry for name, entry in entries.items()}
    return {name: entry for name, entry in named.items() if name is not None}


def _shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    with torch.device('meta'):
        return {name: tuple(e.shape) for name, e in FlashDepth(config).state_dict().items()}


def _problems(entries: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Say what does not fit, each kind in one phrase that names the first few entries."""
    missing = [name for name in expected if name not in entries]
    unexpected = [name for name in entries if name not in expected]
    shaped = [
        f'{name} {tuple(entry.shape)} instead of {expected[name]}'
        for name, entry in entries.items()
        if name in expected and tuple(entry.shape) != expected[name]
    ]
    kinds = (('missing', missing), ('unexpected', unexpected), ('of another shape', shaped))
    return [
        f'{len(found)} entries {kind}, first {", ".join(found[:_NAMED])}'
        for kind, found in kinds
        if found
    ]


def _advice(entries: Mapping[str, Tensor]) -> str:
    config = fitting_preset(entries)
    if config is None:
        return f'It fits no preset ({", ".join(PRESETS)})'
    return f'It fits preset {config.name}: ask for that one'
