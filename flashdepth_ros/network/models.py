"""Build the network of a preset."""

from flashdepth_ros.network.config import ModelConfig, TemporalAttentionConfig
from flashdepth_ros.network.flashdepth import FlashDepth
from flashdepth_ros.network.presets import preset
from flashdepth_ros.network.video_depth_anything import VideoDepthAnything

Network = FlashDepth | VideoDepthAnything
"""Any network: a function of frames and the state of their streams."""


def build_model(config: ModelConfig) -> Network:
    """Build the network of a configuration in training mode, with random weights."""
    if isinstance(config.temporal, TemporalAttentionConfig):
        return VideoDepthAnything(config)
    return FlashDepth(config)


def create_model(name: str) -> Network:
    """
    Build the preset `name` in evaluation mode, float32, on the CPU, with random weights.

    The temporal modules and the fusion have no effect before weights are loaded.

    :raises ConfigError: there is no preset of that name; the message lists the presets.
    """
    return build_model(preset(name)).eval()
