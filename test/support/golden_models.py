"""Models with deterministic weights derived from the names of their entries."""

import json

import numpy as np
import torch

from flashdepth_ros.network import FlashDepth, create_model, load_weights
from flashdepth_ros.network.names import to_released
from support import golden_recipe
from support.paths import DATA


def released_entries(keys: str) -> dict[str, torch.Tensor]:
    """Return the golden state dict of one released checkpoint: `s`, `l` or `full`."""
    shapes = json.loads((DATA / f'{keys}_keys.json').read_text())
    return {
        key: torch.from_numpy(golden_recipe.weight(key, tuple(shape)))
        for key, shape in shapes.items()
    }


def golden_model(preset: str) -> FlashDepth:
    """Return `preset` with the golden weights for the released names of its entries."""
    model = create_model(preset)
    entries = {
        name: torch.from_numpy(golden_recipe.weight(to_released(name), tuple(entry.shape)))
        for name, entry in model.state_dict().items()
    }
    load_weights(model, entries)
    return model


def golden_clip(count: int, height: int, width: int) -> torch.Tensor:
    """Return frames (1, count, 3, height, width) of the golden video."""
    frames = [golden_recipe.frame(index, height, width) for index in range(count)]
    return torch.from_numpy(np.stack(frames))[None]
