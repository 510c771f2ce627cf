"""
What the frozen parts of a model see in clips, kept on disk.

Where nothing learns but the temporal module and what comes after it, most of a step goes into
seeing the same frames again; from what is kept, a step takes a fraction of the time, and clips may
be as long as streams.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
import hashlib
import logging
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file, save_file
import torch
from torch import Tensor
from torch.utils.data import Dataset

from flashdepth_ros.network import FlashDepth
from flashdepth_ros.network.flashdepth import Seen
from flashdepth_ros.runtime.distributed import World
from flashdepth_ros.training.batches import CHUNK, normalised
from flashdepth_ros.training.config import PhaseConfig, TrainingConfig
from flashdepth_ros.training.datasets import ClipDataset, Sample

logger = logging.getLogger(__name__)

_TOLD_EVERY = 20


class KeptSample(NamedTuple):
    """What is kept of a clip of T frames of which S are judged; a batch has one dimension more."""

    path: Tensor
    """(S, C, h, w)."""
    pyramid: list[Tensor]
    """(S, C, h, w) each."""
    tokens: Tensor
    """(T, l, C)."""
    judged: Tensor
    """(S,) int64."""
    inverse_depth: Tensor
    """(S, H, W) float32, 1/m, the truth."""

    def given(self, device: torch.device) -> tuple[Seen]:
        """Return what a model is given of a batch of samples."""
        tokens, judged, path, *pyramid = (
            part.to(device, non_blocking=True)
            for part in (self.tokens, self.judged, self.path, *self.pyramid)
        )
        pyramid = [maps.flatten(0, 1) for maps in pyramid]
        return (Seen(path.flatten(0, 1), pyramid, tokens, judged, len(tokens)),)


class KeptDataset(Dataset[KeptSample]):
    """The samples that are kept, over and over: `dataset[index]` for any index >= 0."""

    def __init__(self, files: Sequence[Path], repeats: int) -> None:
        self.files = files
        self.repeats = repeats

    def __getitem__(self, index: int) -> KeptSample:
        entries = load_file(self.files[index % len(self.files)])
        # Each frame so many times; the last of them is the one that counts.
        tokens = entries['tokens'].repeat_interleave(self.repeats, dim=0)
        judged = self.repeats * entries['judged'] + self.repeats - 1
        pyramid = [entries[name] for name in sorted(entries) if name.startswith('pyramid')]
        return KeptSample(entries['path'], pyramid, tokens, judged, entries['inverse_depth'])


Loaded = Callable[[Dataset[Any], Iterable[list[int]]], Iterable[Any]]
"""Loads a dataset's batches of these indices, in this order."""


class Keeper:
    """
    Has the processes of a run see samples, each its share, and keep what comes of them.

    :param interrupted: whether this process was asked to stop.
    """

    def __init__(
        self,
        config: TrainingConfig,
        model: FlashDepth,
        world: World,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config = config
        self._model = model
        self._world = world
        self._interrupted = interrupted

    def keep(self, dataset: ClipDataset, loaded: Loaded) -> KeptDataset | None:
        """
        Return the first samples of a phase, those of equal phases alike; kept before, they stay.

        None: a process was asked to stop before all are kept.
        """
        world, phase = self._world, dataset.phase
        folder = Path(self._config.output) / 'kept' / self._name(phase)
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f'{index:06d}.safetensors' for index in range(phase.kept)]
        missing = [index for index, file in enumerate(files) if not file.exists()]
        world.wait()
        own = missing[world.rank :: world.size]
        samples = iter(loaded(dataset, [[index] for index in own]))
        # As many rounds for all, whose shares differ by one: they ask one another in each.
        for number, start in enumerate(range(0, len(missing), world.size)):
            if number < len(own):
                _save(self._kept(next(samples)), files[own[number]])
            if start % _TOLD_EVERY < world.size and world.leads:
                logger.info('%d samples of %d to keep', start + 1, len(missing))
            if world.any(self._interrupted()):
                return None
        return KeptDataset(files, phase.repeats)

    def _kept(self, sample: Sample) -> KeptSample:
        """See a batch of one sample, its frames in chunks."""
        device, judged = self._world.device, sample.judged[0]
        parts: list[Seen] = []
        bfloat16 = self._config.precision == 'bfloat16'
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            for start in range(0, sample.rgb.shape[1], CHUNK):
                frames = sample.rgb[:, start : start + CHUNK].to(device)
                here = judged[(judged >= start) & (judged < start + frames.shape[1])] - start
                parts.append(self._model.see(normalised(frames), here[None].to(device)))
        tokens = [part.tokens for part in parts if part.tokens is not None]
        return KeptSample(
            torch.cat([part.path for part in parts]),
            [torch.cat(maps) for maps in zip(*(part.pyramid for part in parts), strict=True)],
            torch.cat(tokens, dim=1)[0],
            judged,
            sample.inverse_depth[0],
        )

    def _name(self, phase: PhaseConfig) -> str:
        """Name all that what is seen depends on: what another run saw is not taken for it."""
        config = self._config
        drawn = replace(phase, steps=0, batch=0, kept=0, repeats=1)
        digest = hashlib.sha256(
            repr(
                (config.seed, config.precision, config.sources, config.augmentation, drawn)
            ).encode()
        )
        for name, entry in self._model.state_dict().items():
            if self._model.sees_by(name):
                digest.update(entry.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def _save(sample: KeptSample, file: Path) -> None:
    """Write a file that appears under its name only when it is whole."""
    entries = sample._asdict()
    pyramid = entries.pop('pyramid')
    entries |= {f'pyramid.{number}': maps for number, maps in enumerate(pyramid)}
    partial = file.with_suffix('.partial')
    save_file({name: entry.cpu().contiguous() for name, entry in entries.items()}, partial)
    partial.replace(file)
