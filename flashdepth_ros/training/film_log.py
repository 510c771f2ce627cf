"""What the terminal says while clips are rendered: `FilmLog`."""

from collections import defaultdict
from collections.abc import Iterator
import sys

from tqdm import tqdm

from flashdepth_ros.errors import SimulationError, listed


class FilmLog:
    """Writes every line once, and counts the clips that are lost for the same reason."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._lost: dict[str, list[int]] = defaultdict(list)

    def tell(self, line: str) -> None:
        """Write a line on standard error, unless it has been written before."""
        if line not in self._told:
            self._told.add(line)
            tqdm.write(line, file=sys.stderr)

    def lose(self, seed: int, error: SimulationError) -> None:
        """Note that the clip of a seed is lost; write the first of each reason."""
        reason = str(error).removeprefix(f'seed {seed}: ')
        self._lost[reason].append(seed)
        if len(self._lost[reason]) == 1:
            self.tell(f'seed {seed}: {reason}')

    def close(self) -> None:
        """Write how many clips are lost for each reason that was more than one seed's."""
        for line in self._counts():
            self.tell(line)

    def _counts(self) -> Iterator[str]:
        for reason, seeds in self._lost.items():
            if len(seeds) > 1:
                yield f'{len(seeds)} clips not rendered, seeds {listed(seeds)}: {reason}'
