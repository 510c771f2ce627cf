"""Where the weights of a preset lie on this machine."""

import hashlib
import os
from pathlib import Path

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network.config import ModelConfig
from flashdepth_ros.shipped import shipped_folders

_FLASHDEPTH = 'Hugging Face, Eyeline-Research/FlashDepth: '
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
    Return the file that holds a preset's own weights: shipped in `models/`, else in the cache.

    :raises CheckpointError: there is none; the message says where to get them and where to put
        them, and under which license they are.
    """
    places = [*shipped_folders('models'), cache_folder()]
    for folder in places:
        for suffix in ('.safetensors', '.pth'):
            path = folder / (config.name + suffix)
            if path.is_file():
                return path
    source = SOURCES.get(config.name, 'train them with `flashdepth train`')
    raise CheckpointError(
        f'no weights of {config.name} on this machine. Get them ({source}; license '
        f'{config.weights_license}) and name the file with the parameter `weights`, or put it at '
        f'{cache_folder() / (config.name + ".pth")}'
    )


def digest_of(weights: Path) -> str:
    """Return the SHA-256 of a file of weights."""
    digest = hashlib.sha256()
    with weights.open('rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Return the user's folder of downloaded weights."""
    cache = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(cache) / 'flashdepth_ros'
