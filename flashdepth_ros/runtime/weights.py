"""Find the weights of a preset on this computer."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network.config import ModelConfig
from flashdepth_ros.shipped import shipped_folders

_SITE = 'https://huggingface.co'


class Source(NamedTuple):
    """A file in a repository on Hugging Face."""

    repository: str
    file: str

    def __str__(self) -> str:
        return f'Hugging Face, {self.repository}: {self.file}'

    @property
    def url(self) -> str:
        """Return the address; the variable HF_ENDPOINT names a mirror of the site."""
        site = os.environ.get('HF_ENDPOINT') or _SITE
        return f'{site.rstrip("/")}/{self.repository}/resolve/main/{self.file}'


def _depth_anything(family: str, repository: str, file: str) -> dict[str, Source]:
    """Return where the small, base and large preset of a family are published."""
    return {
        f'{family}-{s}': Source(f'depth-anything/{repository}-{size}', f'{file}_vit{s}.pth')
        for s, size in (('s', 'Small'), ('b', 'Base'), ('l', 'Large'))
    }


SOURCES = {
    'flashdepth-s': Source('Eyeline-Labs/FlashDepth', 'flashdepth-s/iter_14001.pth'),
    'flashdepth-l': Source('Eyeline-Labs/FlashDepth', 'flashdepth-l/iter_10001.pth'),
    'flashdepth-full': Source('Eyeline-Labs/FlashDepth', 'flashdepth/iter_43002.pth'),
    **_depth_anything('depth-anything-v2', 'Depth-Anything-V2', 'depth_anything_v2'),
    **_depth_anything(
        'depth-anything-v2-metric-indoor',
        'Depth-Anything-V2-Metric-Hypersim',
        'depth_anything_v2_metric_hypersim',
    ),
    **_depth_anything(
        'depth-anything-v2-metric-outdoor',
        'Depth-Anything-V2-Metric-VKITTI',
        'depth_anything_v2_metric_vkitti',
    ),
    **_depth_anything('video-depth-anything', 'Video-Depth-Anything', 'video_depth_anything'),
    **_depth_anything(
        'metric-video-depth-anything',
        'Metric-Video-Depth-Anything',
        'metric_video_depth_anything',
    ),
}
"""Where the official weights of a preset are published."""

WEIGHT_SUFFIXES = ('.pth', '.pt', '.safetensors')
"""Of the files that hold weights of a network, and not the network."""
_BLOCK = 2**20


def present_weights(config: ModelConfig) -> Path | None:
    """Return the weights file of a preset: from `models/` of the package, else from the cache."""
    for folder in (*shipped_folders('models'), cache_folder()):
        for suffix in ('.safetensors', '.pth'):
            path = folder / (config.name + suffix)
            if path.is_file():
                return path
    return None


def find_weights(config: ModelConfig) -> Path:
    """
    Return the weights file of a preset, as `present_weights`.

    :raises CheckpointError: there is no file; the message says where to get the weights, under
        which license, and where to put the file.
    """
    if (path := present_weights(config)) is not None:
        return path
    license_text = f'license {config.weights_license}'
    if config.name not in SOURCES:
        how = f'Train them with `flashdepth train` ({license_text})'
    else:
        how = f'Run `flashdepth models fetch {config.name}` ({license_text})'
    raise CheckpointError(
        f'weights of {config.name} not found. {how}, or pass the path of a file as parameter '
        f'`weights`, or save it as {cache_folder() / (config.name + ".pth")}'
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
