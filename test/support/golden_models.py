"""Models with deterministic weights derived from the names of their entries."""

from concurrent.futures import ThreadPoolExecutor
import json

import numpy as np
import torch

from flashdepth_ros.network import Network, VideoDepthAnything, create_model, load_weights
from flashdepth_ros.network.names import HEAD, VIDEO_HEAD, to_released
from support import golden_recipe
from support.paths import DATA


def released_entries(keys: str) -> dict[str, torch.Tensor]:
    """Return the golden state dict of one released checkpoint: `s`, `l`, `full` or `vda_s`."""
    shapes = json.loads((DATA / f'{keys}_keys.json').read_text())
    # Each entry has a random generator of its own, and numpy draws without the interpreter's lock.
    with ThreadPoolExecutor() as threads:
        weights = threads.map(golden_recipe.weight, shapes, map(tuple, shapes.values()))
        return dict(zip(shapes, map(torch.from_numpy, weights), strict=True))


def golden_model(preset: str) -> Network:
    """Return `preset` with the golden weights for the released names of its entries."""
    model = create_model(preset)
    head = VIDEO_HEAD if isinstance(model, VideoDepthAnything) else HEAD
    entries = {
        name: torch.from_numpy(golden_recipe.weight(to_released(name, head), tuple(entry.shape)))
        for name, entry in model.state_dict().items()
    }
    load_weights(model, entries)
    return model


def golden_clip(count: int, height: int, width: int) -> torch.Tensor:
    """Return frames (1, count, 3, height, width) of the golden video."""
    frames = [golden_recipe.frame(index, height, width) for index in range(count)]
    return torch.from_numpy(np.stack(frames))[None]
