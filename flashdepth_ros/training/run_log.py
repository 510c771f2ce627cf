"""Log a run: progress, losses, validation, checkpoints, weights."""

from collections.abc import Mapping
import logging
import time

import torch
from torch import Tensor
from tqdm import tqdm

from flashdepth_ros.training.initial import origin
from flashdepth_ros.training.progress import Progress
from flashdepth_ros.training.run_folder import BEST, WEIGHTS, RunFolder
from flashdepth_ros.training.trainer import Trainer
from flashdepth_ros.training.validation import Validation

logger = logging.getLogger(__name__)

_LOG_EVERY = 50
"""Steps between two losses of the learning curve; each is the mean over these steps."""


class RunLog:
    """Log and validate a run; used by the main process only."""

    def __init__(self, trainer: Trainer, folder: RunFolder) -> None:
        self.trainer = trainer
        self.folder = folder
        self.validation = Validation.from_config(trainer.config)
        self._best = max(map(_score, folder.read_curve()), default=float('-inf'))
        self._terms: list[Mapping[str, Tensor]] = []
        self._means: dict[str, float] = {}
        self._since = time.monotonic()
        self._progress = Progress()
        steps = None if trainer.config.minutes else trainer.config.steps
        self._bar = tqdm(total=steps, initial=trainer.step, disable=None, unit='step')

    def close(self) -> None:
        """Close the progress bar."""
        self._bar.close()

    def log_step(self, terms: Mapping[str, Tensor], stops: bool) -> None:
        """Log a step; validate and save where due. `stops`: save a checkpoint in any case."""
        trainer, config = self.trainer, self.trainer.config
        self._update_time()
        self._terms.append(terms)
        is_last = trainer.is_finished
        validates = is_last or trainer.step % config.validation.every == 0
        # Without a terminal, log lines replace the progress bar.
        if self._bar.disable and self._progress.is_due:
            self._progress.log('%s, loss %.4f', self._position(), float(terms['loss']))
        if validates or len(self._terms) == _LOG_EVERY:
            self._log_terms()
        if validates:
            self._validate()
        if validates or stops or trainer.step % config.save_every == 0:
            self.folder.save_checkpoint(trainer.state())

    def _update_time(self) -> None:
        now = time.monotonic()
        self.trainer.seconds += now - self._since
        self._since = now
        self._bar.update()

    def _log_terms(self) -> None:
        self._means = {
            name: float(torch.stack([terms[name] for terms in self._terms]).mean())
            for name in self._terms[0]
        }
        skipped = round(self._means['skipped'] * len(self._terms))
        if skipped:
            logger.warning(
                '%d of the last %d steps skipped: their gradients are not finite',
                *(skipped, len(self._terms)),
            )
        self._terms = []
        self._bar.set_postfix(loss=f'{self._means["loss"]:.4f}')
        self.folder.add_scalars('training', self.trainer.step, self._means)

    def _position(self) -> str:
        trainer = self.trainer
        hours, minutes = divmod(round(trainer.seconds / 60), 60)
        if trainer.config.minutes:
            return f'step {trainer.step}, {minutes} of {trainer.config.minutes:g} minutes'
        return f'step {trainer.step} of {trainer.config.steps} after {hours} h {minutes:02} min'

    def _validate(self) -> None:
        """Validate, and export the newest weights and those with the best score."""
        trainer, folder = self.trainer, self.folder
        measured = self.validation.run(trainer.evaluation_model, trainer.world.device)
        row = {'step': trainer.step, 'seconds': trainer.seconds, 'loss': self._means['loss']}
        folder.append_to_curve(row | measured)
        folder.add_scalars('validation', trainer.step, measured)
        logger.info('%s', ', '.join(f'{k} {v:.4g}' for k, v in (row | measured).items()))
        notes = {
            'preset': trainer.config.model,
            'license': trainer.model.config.weights_license,
            'origin': origin(trainer.config.initial, trainer.step),
        }
        entries = trainer.evaluation_model.state_dict()
        folder.export_weights(WEIGHTS, entries, notes)
        if _score(measured) > self._best:
            self._best = _score(measured)
            folder.export_weights(BEST, entries, notes)


def _score(measured: Mapping[str, float]) -> float:
    """Return the score that selects the best weights: delta1 as predicted plus aligned."""
    score = measured['delta1'] + measured['aligned_delta1']
    return score if score == score else float('-inf')
