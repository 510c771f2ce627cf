"""Read and write weight files strictly, without executing code from a file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
import logging
import os
from pathlib import Path
from typing import Any
import warnings
from zipfile import is_zipfile

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
import torch
from torch import Tensor

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network import names
from flashdepth_ros.network.config import LEVELS, ModelConfig
from flashdepth_ros.network.lookalikes import (
    choose_by_name,
    contradiction,
    same_architecture,
)
from flashdepth_ros.network.models import Network, build_model
from flashdepth_ros.network.presets import PRESETS

_WRAPPERS = ('model', 'state_dict')
"""The keys under which training checkpoints have their state dict."""
_LOG = logging.getLogger(__name__)
_LISTED = 3
"""How many of the mismatched entries an error message lists."""


def load_weights(model: Network, weights: str | Path | Mapping[str, Tensor]) -> None:
    """
    Load weights into `model`; they must have exactly the model's entries.

    :param weights: a `.pth` or `.safetensors` file, or a state dict, with the names of the
        released checkpoints or of this package.
    :raises CheckpointError: they are neither, the file cannot be read or is refused, or an entry
        is missing, unexpected or of another shape; the message lists the first few and the preset
        that fits.
    """
    if isinstance(weights, (str, Path)):
        source, entries = str(weights), read_weights(weights)
        if warning := contradiction(model.config, Path(weights), metadata(weights)):
            _LOG.warning(warning)
    elif isinstance(weights, Mapping):
        source, entries = 'state dict', _unwrap(weights)
    else:
        raise CheckpointError(
            f'weights are a {type(weights).__name__}; give the path of a .pth or .safetensors '
            'file, or a state dict'
        )
    entries = _with_package_names(entries, model.config)
    mismatches = _find_mismatches(entries, _shapes(model))
    if mismatches:
        raise CheckpointError(
            f'{source} does not fit preset {model.config.name}: {"; ".join(mismatches)}. '
            + _suggest_preset(entries)
        )
    model.load_state_dict(entries)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """
    Read the state dict of a `.pth` or `.safetensors` file; the names stay as in the file.

    :raises CheckpointError: no such file, another kind of file, a damaged one, or one that holds
        more than tensors.
    """
    path = Path(path)
    try:
        _check_kind(path)
        content = _READERS[path.suffix](path)
    except OSError as error:
        raise CheckpointError(f'{path}: cannot be read: {error.strerror or error}') from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f'{path}: holds a {type(content).__name__}, a state dict expected')
    try:
        return _unwrap(content)
    except CheckpointError as error:
        raise CheckpointError(f'{path}: {error}') from error


def _check_kind(path: Path) -> None:
    expected = 'a .pth or .safetensors file'
    if path.is_dir():
        raise CheckpointError(f'{path}: is a folder; give the path of {expected}')
    if not path.is_file():
        raise CheckpointError(f'{path}: no such file; give the path of {expected}')
    if path.suffix not in _READERS:
        raise CheckpointError(f'{path}: suffix {path.suffix!r} is not supported; give {expected}')
    if not path.stat().st_size:
        raise CheckpointError(f'{path}: is empty; download or copy it again')


def metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a `.safetensors` file (preset, origin, license); {} for others."""
    if Path(path).suffix != '.safetensors':
        return {}
    with _open(Path(path)) as file:
        return dict(file.metadata() or {})


def fitting_presets(entries: Mapping[str, Tensor]) -> list[ModelConfig]:
    """Return the presets whose entries and shapes these weights match exactly."""
    for config in PRESETS.values():
        # Not for every model that is loaded: PyTorch imports 70 MB of modules for this device.
        with torch.device('meta'):
            model = build_model(config)
        if not _find_mismatches(_with_package_names(entries, config), _shapes(model)):
            return same_architecture(config)
    return []


def convert(
    source: Path, destination: Path, dtype: torch.dtype, model: str = '', origin: str = ''
) -> dict[str, str]:
    """
    Write only the weights of `source` to a `.safetensors` file, with origin and license.

    :param model: the preset of the weights; '': the one that fits, by the name of the file if
        several have the same entries.
    :param origin: where `source` comes from; '': what its metadata says, or its name.
    :return: the metadata written.
    :raises CheckpointError: `source` cannot be read, or fits no preset, another or several.
    """
    if destination.suffix != '.safetensors':
        raise CheckpointError(f'{destination}: the name of the output must end in .safetensors')
    if model and model not in PRESETS:
        raise CheckpointError(f'no model {model!r}; one of {", ".join(PRESETS)} expected')
    if not destination.parent.is_dir():
        raise CheckpointError(f'{destination}: there is no folder {destination.parent}')
    entries = read_weights(source)
    known = metadata(source)
    presets = fitting_presets(entries)
    if not presets:
        raise CheckpointError(f'{source} fits no preset; one of {", ".join(PRESETS)} expected')
    named = choose_by_name(presets, source, known)
    if model:
        named = [config for config in presets if config.name == model]
    if len(named) != 1:
        raise CheckpointError(
            f'{source} fits {" and ".join(config.name for config in named or presets)}; '
            + (f'not {model}' if model else 'which one cannot be told: name it with --model')
        )
    config = named[0]
    if warning := contradiction(config, source, known):
        _LOG.warning(warning)
    notes = {
        'preset': config.name,
        'origin': origin or known.get('origin', source.name),
        'license': known.get('license', config.weights_license),
    }
    save_weights(_with_package_names(entries, config), destination, dtype, notes)
    return notes


def save_weights(
    entries: Mapping[str, Tensor], path: Path, dtype: torch.dtype, notes: dict[str, str]
) -> None:
    """
    Write a state dict as `.safetensors`, all entries in `dtype`, with `notes` as metadata.

    An existing file is replaced when the new one is complete.

    :raises CheckpointError: the file cannot be written.
    """
    tensors = {
        name: entry.detach().to('cpu', dtype).contiguous() for name, entry in entries.items()
    }
    partial = path.with_name(f'{path.name}.partial')
    try:
        save_file(tensors, partial, metadata=notes)
        # Readable by others, as other new files; the library allows only the owner.
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    except (SafetensorError, OSError) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise CheckpointError(f'{path}: cannot be written: {error}') from error


def _umask() -> int:
    """Return the permissions that new files of this process do not get."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework='pt') as file:
            yield file
    except SafetensorError as error:
        raise CheckpointError(f'{path}: not a safetensors file, or damaged ({error})') from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with _open(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _read_pickle(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            # Mapped, so that only the entries that are used are read. Files of PyTorch before 1.6
            # are no archives and cannot be mapped.
            mapped = is_zipfile(path)
            return torch.load(path, map_location='cpu', weights_only=True, mmap=mapped)
    except OSError:
        raise
    except Exception as error:  # of any type, from a damaged pickle
        # Only the first sentence: torch goes on to advise against this protection.
        reason = str(error).partition('\n')[0].partition('. ')[0]
        raise CheckpointError(
            f'{path}: refused, it is damaged, holds more than tensors or is no file of PyTorch '
            f'({type(error).__name__}: {reason}). If you trust it, load it in Python with '
            'weights_only=False and save its state dict'
        ) from error


_READERS: Mapping[str, Callable[[Path], Any]] = {
    '.pth': _read_pickle,
    '.pt': _read_pickle,
    '.safetensors': _read_safetensors,
}


def _unwrap(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state dict inside a training checkpoint, or `content` if it is one already."""
    inner = next((content[name] for name in _WRAPPERS if name in content), content)
    if not isinstance(inner, Mapping) or not inner:
        names = ' or '.join(map(repr, _WRAPPERS))
        raise CheckpointError(f'no state dict found, neither at the top nor under {names}')
    others = [name for name, entry in inner.items() if not isinstance(entry, Tensor)]
    if others:
        names = ', '.join(map(repr, others[:_LISTED]))
        raise CheckpointError(f'{len(others)} entries are not tensors, first {names}')
    entries = {_without_wrappers(str(name)): entry for name, entry in inner.items()}
    if len(entries) < len(inner):
        raise CheckpointError(
            'the entries of two models, with and without the prefix of a wrapper'
        )
    return entries


def _without_wrappers(name: str) -> str:
    """Return the name of an entry without the parts of torch.compile and of data parallelism."""
    return '.'.join(part for part in name.split('.') if part not in ('_orig_mod', 'module'))


def _with_package_names(entries: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    level = config.fusion.level if config.fusion else LEVELS[0]
    renamed = {names.from_released(name, level): entry for name, entry in entries.items()}
    return {name: entry for name, entry in renamed.items() if name is not None}


def _shapes(model: Network) -> dict[str, tuple[int, ...]]:
    return {name: tuple(entry.shape) for name, entry in model.state_dict().items()}


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
    presets = fitting_presets(entries)
    if not presets:
        return f'It fits no preset ({", ".join(PRESETS)})'
    fitting = ' or '.join(config.name for config in presets)
    return f'It fits preset {fitting}: select that model'
