"""The errors raised on purpose; each says what came, what was expected, what to do."""


class FlashDepthError(Exception):
    """Base of all errors raised on purpose; a door catches this one and prints one line."""


class ConfigError(FlashDepthError):
    """An option, a parameter or a name that nothing here goes by."""


class CheckpointError(FlashDepthError):
    """Weights that do not fit the model, or a file that may not be loaded."""


class InputError(FlashDepthError):
    """A tensor, image or message whose shape, size or content cannot be used."""


class BagError(FlashDepthError):
    """A recording that is missing, damaged, or lacks what was asked of it."""


class SimulationError(FlashDepthError):
    """A scene that cannot be built or rendered on this machine."""
