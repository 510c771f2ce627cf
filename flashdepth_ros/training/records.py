"""What a run leaves in its folder: a checkpoint to go on from, weights to use, and its curves."""

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


class Records:
    """The folder of one run, written by its leading process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._board = SummaryWriter(str(folder / 'tensorboard'))

    def close(self) -> None:
        """Write what is still to be written."""
        self._board.close()

    def show(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """Show numbers in TensorBoard under `group`."""
        for name, value in values.items():
            self._board.add_scalar(f'{group}/{name}', value, step)

    def add_row(self, row: Mapping[str, float]) -> None:
        """Append a row to the curve, `metrics.csv`; its first row names the columns."""
        path = self.folder / CURVE
        begins = not path.exists()
        with path.open('a', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, list(row))
            if begins:
                writer.writeheader()
            writer.writerow({name: f'{value:.6g}' for name, value in row.items()})

    def rows(self) -> list[dict[str, float]]:
        """Return the curve so far."""
        path = self.folder / CURVE
        if not path.exists():
            return []
        with path.open(newline='', encoding='utf-8') as file:
            return [
                {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
            ]

    def save(self, state: Mapping[str, Any]) -> None:
        """Write the checkpoint; the one before stays until this one is whole."""
        partial = self.folder / f'{CHECKPOINT}.partial'
        torch.save(dict(state), partial)
        partial.replace(self.folder / CHECKPOINT)

    def export(self, name: str, entries: Mapping[str, Tensor], notes: dict[str, str]) -> None:
        """Write weights to use, in half precision, likewise."""
        partial = self.folder / f'{name}.partial'
        save_weights(entries, partial, torch.float16, notes)
        partial.replace(self.folder / name)


def read_checkpoint(folder: Path) -> dict[str, Any] | None:
    """
    Return the state saved in the folder of a run, if there is one.

    :raises CheckpointError: it is damaged.
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
