"""Fetch the official weights of presets: download, convert, check that they load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
import sys

import torch
from tqdm import tqdm

from flashdepth_ros.errors import CheckpointError, ConfigError
from flashdepth_ros.network import PRESETS, ModelConfig, build_model, create_model, load_weights
from flashdepth_ros.network.checkpoint import convert, read_weights
from flashdepth_ros.runtime.download import RemoteFile, download, look_up
from flashdepth_ros.runtime.weights import SOURCES, cache_folder, present_weights

_FREE = 'Apache-2.0'
"""The license of weights that may be used for any purpose."""


def check_names(names: Sequence[str], accept_license: bool) -> list[ModelConfig]:
    """
    Return the presets whose weights are to be fetched.

    :param accept_license: whether the user accepts licenses that forbid commercial use.
    :raises ConfigError: an unknown preset, one without published weights, or a license that is
        not accepted.
    """
    for name in names:
        if name not in SOURCES:
            kind = 'no published weights' if name in PRESETS else 'no such model'
            raise ConfigError(f'{name}: {kind}; expected one of {", ".join(SOURCES)}')
    presets = [PRESETS[name] for name in dict.fromkeys(names)]
    restricted = [each for each in presets if each.weights_license != _FREE]
    if restricted and not accept_license:
        raise ConfigError(
            f'{", ".join(each.name for each in restricted)}: license '
            f'{restricted[0].weights_license}, not for commercial use; if you accept that, add '
            '--accept-license'
        )
    return presets


def fetch(
    config: ModelConfig, dtype: torch.dtype, say: Callable[[str], None], replace: bool = False
) -> Path:
    """
    Download the weights of a preset into the cache, without optimizer state, and verify them.

    :param say: is called with what is about to be done.
    :param replace: also if there are weights of it already.
    :return: the `.safetensors` file; if weights are there already, their file.
    :raises DownloadError: see `download`.
    :raises CheckpointError: the file holds other weights than those of the preset, or numbers that
        are not finite.
    """
    if not replace and (present := present_weights(config)) is not None:
        say(f'{config.name}: already there, {present}')
        return present
    source = SOURCES[config.name]
    remote = look_up(source.url)
    say(f'{config.name}: {remote.size / 1e6:.0f} MB, license {config.weights_license}, {source}')
    target = cache_folder() / f'{config.name}.safetensors'
    # Not under the name of the preset: that would be found before it is checked.
    downloaded = target.with_name(f'{config.name}.downloaded.pth')
    _download(remote, downloaded, count_parameters(config) * dtype.itemsize)
    checked = target.with_name(f'{config.name}.unchecked.safetensors')
    try:
        convert(downloaded, checked, dtype, config.name, origin=source.url)
        verify(checked, config)
        checked.replace(target)
    except CheckpointError as error:
        raise CheckpointError(f'{source.url}: {error}') from error
    except OSError as error:
        raise CheckpointError(f'{target}: cannot be written: {error.strerror}') from error
    finally:
        downloaded.unlink(missing_ok=True)
        checked.unlink(missing_ok=True)
    return target


def verify(path: Path, config: ModelConfig) -> None:
    """
    Check that weights load strictly and are finite.

    :raises CheckpointError: they do not.
    """
    entries = read_weights(path)
    load_weights(create_model(config.name), entries)
    broken = [name for name, entry in entries.items() if not entry.isfinite().all()]
    if broken:
        raise CheckpointError(f'{path}: {len(broken)} entries are not finite, first {broken[0]}')


def _download(remote: RemoteFile, target: Path, also_needed: int) -> None:
    with tqdm(total=remote.size, unit='B', unit_scale=True, file=sys.stderr) as bar:

        def show(present: int) -> None:
            bar.update(present - bar.n)

        download(remote, target, show, also_needed)


def count_parameters(config: ModelConfig) -> int:
    """Return the number of parameters of a preset's network."""
    with torch.device('meta'):
        return sum(entry.numel() for entry in build_model(config).parameters())
