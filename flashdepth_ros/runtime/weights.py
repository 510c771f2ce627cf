"""Find the weights of a preset on this computer."""

import hashlib
import os
from pathlib import Path

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network.config import ModelConfig
from flashdepth_ros.shipped import shipped_folders

_FLASHDEPTH = 'Hugging Face, Eyeline-Labs/FlashDepth: '


def _depth_anything(family: str, repository: str, file: str) -> dict[str, str]:
    """Return where the small, base and large preset of a family are published."""
    return {
        f'{family}-{s}': 'Hugging Face, depth-anything/'
        + f'{repository}: {file}.pth'.format(size=size, s=s)
        for s, size in (('s', 'Small'), ('b', 'Base'), ('l', 'Large'))
    }


SOURCES = {
    'flashdepth-s': _FLASHDEPTH + 'flashdepth-s/iter_14001.pth',
    'flashdepth-l': _FLASHDEPTH + 'flashdepth-l/iter_10001.pth',
    'flashdepth-full': _FLASHDEPTH + 'flashdepth/iter_43002.pth',
    **_depth_anything('depth-anything-v2', 'Depth-Anything-V2-{size}', 'depth_anything_v2_vit{s}'),
    **_depth_anything(
        'depth-anything-v2-metric-indoor',
        'Depth-Anything-V2-Metric-Hypersim-{size}',
        'depth_anything_v2_metric_hypersim_vit{s}',
    ),
    **_depth_anything(
        'depth-anything-v2-metric-outdoor',
        'Depth-Anything-V2-Metric-VKITTI-{size}',
        'depth_anything_v2_metric_vkitti_vit{s}',
    ),
    **_depth_anything(
        'video-depth-anything', 'Video-Depth-Anything-{size}', 'video_depth_anything_vit{s}'
    ),
    **_depth_anything(
        'metric-video-depth-anything',
        'Metric-Video-Depth-Anything-{size}',
        'metric_video_depth_anything_vit{s}',
    ),
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
