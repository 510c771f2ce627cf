"""
The exceptions of this package.

Each message states what was received, what was expected, and what to do.
"""

from collections.abc import Sequence

NAMED = 3
"""Number of names in a message before only the others are counted."""


def listed(names: Sequence[object]) -> str:
    """Return the first names, and how many there are besides: `a, b, c and 4 more`."""
    more = len(names) - NAMED
    return f'{", ".join(map(str, names[:NAMED]))}{f" and {more} more" if more > 0 else ""}'


class FlashDepthError(Exception):
    """Base class of the package's exceptions; every entry point catches it and prints one line."""


class ConfigError(FlashDepthError):
    """An option, a parameter or a name that is unknown or has an invalid value."""


class CheckpointError(FlashDepthError):
    """Weights that do not fit the model, or a file that cannot be loaded safely."""


class ExportError(FlashDepthError):
    """A network that cannot be exported, or whose exported form gives another depth."""


class DownloadError(FlashDepthError):
    """A file that cannot be downloaded, or whose content is not the published one."""


class InputError(FlashDepthError):
    """A tensor, image or message whose shape, size or content cannot be used."""


class BagError(FlashDepthError):
    """A recording that is missing or damaged, or that does not contain the requested data."""


class SimulationError(FlashDepthError):
    """A scene that cannot be built or rendered on this computer."""
