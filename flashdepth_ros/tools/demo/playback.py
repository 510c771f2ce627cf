"""What came back from the depth node in the demo: its timing and its own account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags import BagReader
from flashdepth_ros.errors import BagError
from flashdepth_ros.presentation import StageTime, stage_times
from flashdepth_ros.tools.demo.recorder import DIAGNOSTICS_TOPIC, TIMING_TOPIC

_DROPS = ('transport', 'stale', 'bad')


@dataclass(frozen=True)
class Playback:
    """
    The depth node's messages about a recording that was played to it.

    :param frames: the values of `~/timing`, of each frame.
    :param diagnostics: the values of the last `/diagnostics`, empty without one.
    """

    frames: tuple[Mapping[str, str], ...]
    diagnostics: Mapping[str, str]

    @property
    def processed(self) -> int:
        """Return how many frames the node says it has processed, of which a timing may be lost."""
        return int(self.diagnostics.get('processed', len(self.frames)))

    @property
    def stages(self) -> list[StageTime]:
        """
        Return the times of the stages, of inference, of all others, and of all together.

        The age of an image says nothing here, since a recording's stamps are of another day.
        """
        names = [name for name in self.frames[0] if name.endswith('_ms') and name != 'age_ms']
        samples = {name.removesuffix('_ms'): self._values(name) for name in names}
        total = np.sum(list(samples.values()), axis=0)
        samples['all but inference'] = total - samples['inference']
        samples['all'] = total
        return stage_times(samples)

    @property
    def drops(self) -> str:
        """Return how many frames were dropped for which cause, in words."""
        counts = (f'{self.diagnostics.get(f"dropped_{cause}", "?")} {cause}' for cause in _DROPS)
        return ', '.join(counts)

    @property
    def reset_reasons(self) -> list[str]:
        """Return why sequences started, in order."""
        return [reason for frame in self.frames if (reason := frame.get('reset_reason', ''))]

    def _values(self, name: str) -> npt.NDArray[np.float64]:
        return np.array([float(frame.get(name) or 'nan') for frame in self.frames])


def read_playback(bag: BagReader) -> Playback:
    """
    Read what the recorder wrote.

    :raises BagError: not one frame was processed.
    """
    if TIMING_TOPIC not in {topic.name for topic in bag.topics}:
        raise BagError('the depth node processed none of the images that were played to it')
    told = [topic for topic in bag.topics if topic.name == DIAGNOSTICS_TOPIC]
    diagnostics: dict[str, str] = {}
    for record in bag.records(DIAGNOSTICS_TOPIC) if told else ():
        diagnostics = _key_values(bag.message(record))
    return Playback(
        frames=tuple(_key_values(bag.message(record)) for record in bag.records(TIMING_TOPIC)),
        diagnostics=diagnostics,
    )


def _key_values(message: object) -> dict[str, str]:
    statuses = getattr(message, 'status', ())
    return {pair.key: pair.value for status in statuses for pair in status.values}
