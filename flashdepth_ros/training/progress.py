"""Log how far something is that takes long."""

import logging
import time

logger = logging.getLogger(__name__)

PERIOD_S = 5.0


class Progress:
    """Logs at once and then every few seconds."""

    def __init__(self) -> None:
        self._due_s = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether `log` would log now."""
        return time.monotonic() >= self._due_s

    def log(self, text: str, *values: object) -> None:
        """Log the text, unless the last one was logged just before."""
        if self.is_due:
            logger.info(text, *values)
            self._due_s = time.monotonic() + PERIOD_S
