"""Read and write weight files strictly, without executing code from a file."""

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

_LISTED = 3
"""How many of the mismatched entries an error message lists."""


def load_weights(model: FlashDepth, weights: str | Path | Mapping[str, Tensor]) -> None:
    """
    Load weights into `model`; they must have exactly the model's entries.

    :param weights: a `.pth` or `.safetensors` file, or a state dict, with the names of the
        released checkpoints or of this package.
    :raises CheckpointError: the file cannot be read or is refused, or an entry is missing,
        unexpected or of another shape; the message lists the first few and the preset that fits.
    """
    source = str(weights) if isinstance(weights, (str, Path)) else 'state dict'
    entries = read_weights(weights) if isinstance(weights, (str, Path)) else _unwrap(weights)
    entries = _with_package_names(entries, model.config)
    mismatches = _find_mismatches(entries, _shapes(model.config))
    if mismatches:
        raise CheckpointError(
            f'{source} does not fit preset {model.config.name}: {"; ".join(mismatches)}. '
            + _suggest_preset(entries)
        )
    model.load_state_dict(entries)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """
    Read the state dict of a `.pth` or `.safetensors` file; the names stay as in the file.

    :raises CheckpointError: no such file, another kind of file, or it holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f'{path}: no such file; give the path of a .pth or .safetensors file'
        )
    if path.suffix == '.safetensors':
        return _read_safetensors(path)
    if path.suffix not in ('.pth', '.pt'):
        raise CheckpointError(
            f'{path}: suffix {path.suffix!r} is not supported; .pth or .safetensors expected'
        )
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise CheckpointError(
            f'{path}: refused, it holds more than tensors or is damaged '
            f'({str(error).splitlines()[0]}). If you trust the file, convert it first'
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f'{path}: holds a {type(content).__name__}, a state dict expected')
    return _unwrap(content)


def metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a `.safetensors` file (preset, origin, license); {} for others."""
    if Path(path).suffix != '.safetensors':
        return {}
    with _open(Path(path)) as file:
        return dict(file.metadata() or {})


def fitting_preset(entries: Mapping[str, Tensor]) -> ModelConfig | None:
    """Return the preset whose entries and shapes these weights match exactly, or None."""
    for config in PRESETS.values():
        if not _find_mismatches(_with_package_names(entries, config), _shapes(config)):
            return config
    return None


def convert(source: Path, destination: Path, dtype: torch.dtype) -> dict[str, str]:
    """
    Write only the weights of `source` to a `.safetensors` file, with origin and license.

    :return: the metadata written.
    :raises CheckpointError: `source` cannot be read or fits no preset.
    """
    if destination.suffix != '.safetensors':
        raise CheckpointError(f'{destination}: the name of the output must end in .safetensors')
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
    save_weights(_with_package_names(entries, config), destination, dtype, notes)
    return notes


def save_weights(
    entries: Mapping[str, Tensor], path: Path, dtype: torch.dtype, notes: dict[str, str]
) -> None:
    """Write a state dict as `.safetensors`, all entries in `dtype`, with `notes` as metadata."""
    tensors = {
        name: entry.detach().to('cpu', dtype).contiguous() for name, entry in entries.items()
    }
    save_file(tensors, path, metadata=notes)


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework='pt')
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f'{path}: not a safetensors file, or damaged ({error})') from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with _open(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _unwrap(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state dict inside a training checkpoint, or `content` if it is one already."""
    inner = content.get('model', content)
    if not isinstance(inner, Mapping) or not inner:
        raise CheckpointError("no state dict found, neither at the top nor under 'model'")
    others = [name for name, entry in inner.items() if not isinstance(entry, Tensor)]
    if others:
        raise CheckpointError(f'{len(others)} entries are no tensors, first {others[:_LISTED]}')
    return {name.removeprefix('module.'): entry for name, entry in inner.items()}


def _with_package_names(entries: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    level = config.fusion.level if config.fusion else LEVELS[0]
    renamed = {names.from_released(name, level): entry for name, entry in entries.items()}
    return {name: entry for name, entry in renamed.items() if name is not None}


def _shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    with torch.device('meta'):
        return {name: tuple(e.shape) for name, e in FlashDepth(config).state_dict().items()}


def _find_mismatches(
    entries: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]
) -> list[str]:
    """Return one phrase for each kind of mismatch, with the first few entries of that kind."""
    missing = [name for name in expected if name not in entries]
    unexpected = [name for name in entries if name not in expected]
    misshapen = [
        f'{name} {tuple(entry.shape)} instead of {expected[name]}'
        for name, entry in entries.items()
        if name in expected and tuple(entry.shape) != expected[name]
    ]
    kinds = (('missing', missing), ('unexpected', unexpected), ('of another shape', misshapen))
    return [
        f'{len(found)} entries {kind}, first {", ".join(found[:_LISTED])}'
        for kind, found in kinds
        if found
    ]


def _suggest_preset(entries: Mapping[str, Tensor]) -> str:
    config = fitting_preset(entries)
    if config is None:
        return f'It fits no preset ({", ".join(PRESETS)})'
    return f'It fits preset {config.name}: select that model'
