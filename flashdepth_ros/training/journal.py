"""Notes on a run as it goes: progress, losses, validations, checkpoints, weights."""

from collections.abc import Mapping
import logging
import time

import torch
from torch import Tensor
from tqdm import tqdm

from flashdepth_ros.training.records import BEST, WEIGHTS, Records
from flashdepth_ros.training.trainer import Trainer
from flashdepth_ros.training.validation import Validation

logger = logging.getLogger(__name__)

_MEAN_OF = 50
"""Steps whose mean loss is shown as one."""


class Journal:
    """Kept by the leading process of a run."""

    def __init__(self, trainer: Trainer, records: Records) -> None:
        self.trainer = trainer
        self.records = records
        self.validation = Validation.of(trainer.config)
        self._terms: list[Mapping[str, Tensor]] = []
        self._means: dict[str, float] = {}
        self._since = time.monotonic()
        self._bar = tqdm(
            total=trainer.config.steps, initial=trainer.step, disable=None, unit='step'
        )

    def close(self) -> None:
        """End the progress bar."""
        self._bar.close()

    def note(self, terms: Mapping[str, Tensor], stops: bool) -> None:
        """Note a step that was taken; all is saved before the run stops, and at its end."""
        trainer, config = self.trainer, self.trainer.config
        self._count_time()
        self._terms.append(terms)
        ends = trainer.step == config.steps
        validates = ends or trainer.step % config.validation.every == 0
        if validates or len(self._terms) == _MEAN_OF:
            self._show_terms()
        if validates:
            self._validate()
        if validates or stops or trainer.step % config.save_every == 0:
            self.records.save(trainer.state())

    def _count_time(self) -> None:
        now = time.monotonic()
        self.trainer.seconds += now - self._since
        self._since = now
        self._bar.update()

    def _show_terms(self) -> None:
        self._means = {
            name: float(torch.stack([terms[name] for terms in self._terms]).mean())
            for name in self._terms[0]
        }
        self._terms = []
        self._bar.set_postfix(loss=f'{self._means["loss"]:.4f}')
        if self._bar.disable:  # no terminal: lines in a log take its place
            logger.info('%s, loss %.4f', self._progress(), self._means['loss'])
        self.records.show('training', self.trainer.step, self._means)

    def _progress(self) -> str:
        trainer = self.trainer
        hours, minutes = divmod(round(trainer.seconds / 60), 60)
        return f'step {trainer.step} of {trainer.config.steps} after {hours} h {minutes:02} min'

    def _validate(self) -> None:
        """Measure, and keep the weights: always the newest, and those with the best score."""
        trainer, records = self.trainer, self.records
        measured = self.validation.run(trainer.shown, trainer.world.device)
        row = {'step': trainer.step, 'seconds': trainer.seconds, 'loss': self._means['loss']}
        best = max(map(_merit, records.rows()), default=float('-inf'))
        records.add_row(row | measured)
        records.show('validation', trainer.step, measured)
        logger.info('%s', ', '.join(f'{k} {v:.4g}' for k, v in (row | measured).items()))
        notes = {
            'preset': trainer.config.model,
            'license': trainer.model.config.weights_license,
            'origin': f'trained {trainer.step} steps',
        }
        records.export(WEIGHTS, trainer.shown.state_dict(), notes)
        if _merit(measured) > best:
            records.export(BEST, trainer.shown.state_dict(), notes)


def _merit(measured: Mapping[str, float]) -> float:
    """Return what the best weights are best in: right as they are, and right in shape."""
    merit = measured['delta1'] + measured['aligned_delta1']
    return merit if merit == merit else float('-inf')
