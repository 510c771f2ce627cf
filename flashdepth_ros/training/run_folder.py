"""The output folder of a run: checkpoint, weights and learning curves."""

from collections.abc import Mapping
import csv
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network.checkpoint import save_weights
from flashdepth_ros.training.validation import METRICS
from flashdepth_ros.training.writing import make_folder, writing

CHECKPOINT = 'checkpoint.pt'
WEIGHTS = 'weights.safetensors'
BEST = 'best.safetensors'
CURVE = 'metrics.csv'
COLUMNS = ('step', 'seconds', 'loss', *METRICS)
"""The columns of the learning curve."""
_ENTRIES = {'step': int, 'seconds': float, 'model': dict, 'optimisers': list}
"""The entries that every checkpoint has, and their types."""


class RunFolder:
    """
    The output folder of one run, written by its main process.

    :raises ConfigError: it is a file, or cannot be created or written, at once or later.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_folder(folder)
        with writing(folder):
            self._board = SummaryWriter(str(folder / 'tensorboard'))

    def close(self) -> None:
        """Flush and close the TensorBoard log."""
        self._board.close()

    def add_scalars(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """Write values to TensorBoard under `group`."""
        for name, value in values.items():
            self._board.add_scalar(f'{group}/{name}', value, step)

    def append_to_curve(self, row: Mapping[str, float]) -> None:
        """Append a row to the learning curve, `metrics.csv`; the first call writes a header."""
        path = self.folder / CURVE
        is_new = not path.exists()
        with writing(path), path.open('a', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, COLUMNS)
            if is_new:
                writer.writeheader()
            writer.writerow({name: f'{value:.6g}' for name, value in row.items()})

    def read_curve(self) -> list[dict[str, float]]:
        """
        Return the rows of the learning curve.

        :raises CheckpointError: the file is not the learning curve of a run.
        """
        path = self.folder / CURVE
        try:
            with path.open(newline='', encoding='utf-8') as file:
                header, *rows = csv.reader(file)
                if tuple(header) != COLUMNS:
                    raise ValueError(header)
                return [dict(zip(COLUMNS, map(float, row), strict=True)) for row in rows]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, csv.Error) as error:
            raise CheckpointError(
                f'{path}: not the learning curve of a run, columns {", ".join(COLUMNS)} expected; '
                'move it away, or use another output'
            ) from error

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Write the checkpoint; the previous one is replaced when the new one is complete."""
        partial = self.folder / f'{CHECKPOINT}.partial'
        with writing(self.folder / CHECKPOINT, partial):
            torch.save(dict(state), partial)
            partial.replace(self.folder / CHECKPOINT)

    def export_weights(
        self, name: str, entries: Mapping[str, Tensor], notes: dict[str, str]
    ) -> None:
        """Write weights in half precision; the previous file is replaced when it is complete."""
        save_weights(entries, self.folder / name, torch.float16, notes)


def read_checkpoint(folder: Path) -> dict[str, Any] | None:
    """
    Return the checkpoint in the folder of a run, None if there is none.

    :raises CheckpointError: the file is damaged, or not the checkpoint of a run.
    """
    path = folder / CHECKPOINT
    remedy = 'move it away to start from the beginning, or use another output'
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(
            f'{path}: cannot be read: {error.strerror or error}; {remedy}'
        ) from error
    except Exception as error:  # of any type, from a damaged pickle
        raise CheckpointError(
            f'{path}: damaged, or not the checkpoint of a run ({type(error).__name__}); {remedy}'
        ) from error
    entries = state if isinstance(state, dict) else {}
    if not all(isinstance(entries.get(name), kind) for name, kind in _ENTRIES.items()):
        found = ', '.join(map(str, list(entries)[:4])) or f'a {type(state).__name__}'
        raise CheckpointError(
            f'{path}: not the checkpoint of a run: {found} found, entries {", ".join(_ENTRIES)} '
            f'expected; {remedy}'
        )
    return entries
