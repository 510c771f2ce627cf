"""From the sources a configuration names to the videos in them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.training import real_sets
from flashdepth_ros.training.clips import find_clips
from flashdepth_ros.training.config import SourceConfig
from flashdepth_ros.training.video import Video

KINDS: dict[str, Callable[[Path], Sequence[Video]]] = {
    'clips': find_clips,
    'tartanair': real_sets.find_tartanair,
    'spring': real_sets.find_spring,
    'mvs-synth': real_sets.find_mvs_synth,
    'point-odyssey': real_sets.find_point_odyssey,
    'dynamic-replica': real_sets.find_dynamic_replica,
}
"""How to find the videos below a root, by kind of source."""


def find_videos(source: SourceConfig) -> Sequence[Video]:
    """
    Return the videos of a source, in an order that does not change.

    :raises ConfigError: no such kind, no such folder, or nothing in it.
    """
    if source.kind not in KINDS:
        raise ConfigError(f'source kind {source.kind!r} not known; one of {", ".join(KINDS)}')
    root = Path(source.root).expanduser()
    if not root.is_dir():
        raise ConfigError(f'{root}: no such folder; give the root of a {source.kind!r} source')
    videos = KINDS[source.kind](root)
    if not videos:
        raise ConfigError(f'{root}: no video of kind {source.kind!r} in it; is the kind right?')
    return videos
