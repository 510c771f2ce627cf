"""The output folder of a run: checkpoint, weights and learning curves."""

from collections.abc import Mapping
import csv
from pathlib import Path
import pickle
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from flashdepth_ros.errors import CheckpointError
from flashdepth_ros.network.checkpoint import save_weights

CHECKPOINT = 'checkpoint.pt'
WEIGHTS = 'weights.safetensors'
BEST = 'best.safetensors'
CURVE = 'metrics.csv'


class RunFolder:
    """The output folder of one run, written by its main process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
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
        with path.open('a', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow({name: f'{value:.6g}' for name, value in row.items()})

    def read_curve(self) -> list[dict[str, float]]:
        """Return the rows of the learning curve."""
        path = self.folder / CURVE
        if not path.exists():
            return []
        with path.open(newline='', encoding='utf-8') as file:
            return [
                {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
            ]

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Write the checkpoint; the previous one is replaced when the new one is complete."""
        partial = self.folder / f'{CHECKPOINT}.partial'
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

    :raises CheckpointError: the checkpoint is damaged.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        return dict(torch.load(path, map_location='cpu', weights_only=True))
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise CheckpointError(
            f'{path}: damaged ({error}); remove it to start from the beginning'
        ) from error
