"""Read the depth node's timing and diagnostics from the demo's recording."""

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
    The depth node's timing and diagnostics for a played recording.

    :param frames: the values of `~/timing` of each frame.
    :param diagnostics: the values of the last `/diagnostics` message; empty if there is none.
    """

    frames: tuple[Mapping[str, str], ...]
    diagnostics: Mapping[str, str]

    @property
    def processed(self) -> int:
        """Return the node's own count of processed frames; a timing message may be lost."""
        return int(self.diagnostics.get('processed', len(self.frames)))

    @property
    def stages(self) -> list[StageTime]:
        """
        Return the times of each stage, of all stages except inference, and of all stages.

        The age of an image is left out: the stamps of a recording are in the past.
        """
        names = [name for name in self.frames[0] if name.endswith('_ms') and name != 'age_ms']
        samples = {name.removesuffix('_ms'): self._values(name) for name in names}
        total = np.sum(list(samples.values()), axis=0)
        samples['all but inference'] = total - samples['inference']
        samples['all'] = total
        return stage_times(samples)

    @property
    def drops(self) -> str:
        """Return the numbers of dropped frames by cause, as text."""
        counts = (f'{self.diagnostics.get(f"dropped_{cause}", "?")} {cause}' for cause in _DROPS)
        return ', '.join(counts)

    @property
    def reset_reasons(self) -> list[str]:
        """Return the reset reason of each sequence, in order."""
        return [reason for frame in self.frames if (reason := frame.get('reset_reason', ''))]

    def _values(self, name: str) -> npt.NDArray[np.float64]:
        return np.array([float(frame.get(name) or 'nan') for frame in self.frames])


def read_playback(bag: BagReader) -> Playback:
    """
    Read the timing and diagnostics from the recorder's bag.

    :raises BagError: no frame was processed.
    """
    topics = {topic.name for topic in bag.topics}
    if TIMING_TOPIC not in topics:
        raise BagError('the depth node processed none of the played images')
    diagnostics: dict[str, str] = {}
    for record in bag.records(DIAGNOSTICS_TOPIC) if DIAGNOSTICS_TOPIC in topics else ():
        diagnostics = _key_values(bag.message(record))
    return Playback(
        frames=tuple(_key_values(bag.message(record)) for record in bag.records(TIMING_TOPIC)),
        diagnostics=diagnostics,
    )


def _key_values(message: object) -> dict[str, str]:
    statuses = getattr(message, 'status', ())
    return {pair.key: pair.value for status in statuses for pair in status.values}
