"""What came back from the depth node in the demo: its timing and its own account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags import BagReader
from flashdepth_ros.errors import BagError
from flashdepth_ros.node.recorder import DIAGNOSTICS_TOPIC, TIMING_TOPIC
from flashdepth_ros.presentation import StageTime, stage_times

_DROPS = ('transport', 'stale', 'bad')


@dataclass(frozen=True)
class Playback:
    """
    The depth node's messages about a recording that was played to it.

    :param frames: the values of `~/timing`, of each frame.
    :param arrivals_ns: when they arrived.
    :param diagnostics: the values of the last `/diagnostics`, empty without one.
    """

    frames: tuple[Mapping[str, str], ...]
    arrivals_ns: tuple[int, ...]
    diagnostics: Mapping[str, str]

    @property
    def rate_hz(self) -> float:
        """Return how many frames a second came, NaN where there are too few to tell."""
        span_ns = self.arrivals_ns[-1] - self.arrivals_ns[0]
        return (len(self.arrivals_ns) - 1) * 1e9 / span_ns if span_ns else float('nan')

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
    timings = list(bag.records(TIMING_TOPIC))
    told = [topic for topic in bag.topics if topic.name == DIAGNOSTICS_TOPIC]
    diagnostics: dict[str, str] = {}
    for record in bag.records(DIAGNOSTICS_TOPIC) if told else ():
        diagnostics = _key_values(bag.message(record))
    return Playback(
        frames=tuple(_key_values(bag.message(record)) for record in timings),
        arrivals_ns=tuple(record.stamp_ns for record in timings),
        diagnostics=diagnostics,
    )


def _key_values(message: object) -> dict[str, str]:
    statuses = getattr(message, 'status', ())
    return {pair.key: pair.value for status in statuses for pair in status.values}
