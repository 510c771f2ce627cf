"""Find the videos of the sources in a configuration."""

from collections.abc import Callable, Sequence
from pathlib import Path

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.training import public_datasets
from flashdepth_ros.training.clips import find_clips
from flashdepth_ros.training.config import SourceConfig
from flashdepth_ros.training.stills import find_stills
from flashdepth_ros.training.video import Video

KINDS: dict[str, Callable[[Path], Sequence[Video]]] = {
    'clips': find_clips,
    'stills': find_stills,
    'tartanair': public_datasets.find_tartanair,
    'spring': public_datasets.find_spring,
    'mvs-synth': public_datasets.find_mvs_synth,
    'point-odyssey': public_datasets.find_point_odyssey,
    'dynamic-replica': public_datasets.find_dynamic_replica,
}
"""The function that finds the videos below a root folder, by kind of source."""


def find_videos(source: SourceConfig) -> Sequence[Video]:
    """
    Return the videos of a source, always in the same order.

    :raises ConfigError: an unknown kind, no such folder, or no videos in it.
    """
    if source.kind not in KINDS:
        raise ConfigError(f'source kind {source.kind!r} is not known; one of {", ".join(KINDS)}')
    root = Path(source.root).expanduser()
    if not root.is_dir():
        raise ConfigError(f'{root}: no such folder; give the root of a {source.kind!r} source')
    videos = KINDS[source.kind](root)
    if not videos:
        raise ConfigError(f'{root}: no video of kind {source.kind!r} found; check root and kind')
    return videos
