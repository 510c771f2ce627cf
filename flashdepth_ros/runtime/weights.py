"""Find the weights of a preset on this computer."""

import hashlib
import os
from pathlib import Path

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network.config import ModelConfig
from flashdepth_ros.shipped import shipped_folders

_FLASHDEPTH = 'Hugging Face, Eyeline-Labs/FlashDepth: '
_DEPTH_ANYTHING = 'Hugging Face, depth-anything/Depth-Anything-V2-'
SOURCES = {
    'flashdepth-s': _FLASHDEPTH + 'flashdepth-s/iter_14001.pth',
    'flashdepth-l': _FLASHDEPTH + 'flashdepth-l/iter_10001.pth',
    'flashdepth-full': _FLASHDEPTH + 'flashdepth/iter_43002.pth',
    'depth-anything-v2-s': _DEPTH_ANYTHING + 'Small: depth_anything_v2_vits.pth',
    'depth-anything-v2-b': _DEPTH_ANYTHING + 'Base: depth_anything_v2_vitb.pth',
    'depth-anything-v2-l': _DEPTH_ANYTHING + 'Large: depth_anything_v2_vitl.pth',
}
"""Where the official weights of a preset are published."""

_BLOCK = 2**20


def find_weights(config: ModelConfig) -> Path:
    """
    Return the weights file of a preset: from `models/` of the package, else from the cache.

    :raises CheckpointError: there is no file; the message says where to get the weights, under
        which license, and where to put the file.
    """
    folders = [*shipped_folders('models'), cache_folder()]
    for folder in folders:
        for suffix in ('.safetensors', '.pth'):
            path = folder / (config.name + suffix)
            if path.is_file():
                return path
    source = SOURCES.get(config.name, 'train them with `flashdepth train`')
    raise CheckpointError(
        f'weights of {config.name} not found. Get them ({source}; license '
        f'{config.weights_license}) and pass the path as parameter `weights`, or save the file as '
        f'{cache_folder() / (config.name + ".pth")}'
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Return the user's cache folder, with downloaded weights and compiled networks."""
    cache = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(cache) / 'flashdepth_ros'
