"""Which models can estimate windows; `offline` estimates them, with PyTorch."""

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network.config import ModelConfig, TemporalAttentionConfig


def has_windows(config: ModelConfig) -> bool:
    """Return whether a model can estimate windows: it has temporal attention."""
    return isinstance(config.temporal, TemporalAttentionConfig)


def check_windows(config: ModelConfig, temporal: bool = True) -> None:
    """
    Check that windows of a model can be estimated.

    :param temporal: whether frames may depend on others.
    :raises ConfigError: it has no temporal attention, or that is switched off.
    """
    if not temporal:
        raise ConfigError(
            'in a window every frame depends on the others, with temporal off it does not: '
            'leave one of them out'
        )
    if not has_windows(config):
        raise ConfigError(
            f'{config.name} has no windows: they are for video-depth-anything and '
            'metric-video-depth-anything'
        )
