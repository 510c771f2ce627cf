"""The networks in plain PyTorch; every function takes and returns tensors."""

from flashdepth_ros.network.checkpoint import load_weights
from flashdepth_ros.network.config import PRESETS, ModelConfig
from flashdepth_ros.network.flashdepth import FlashDepth, create_model
from flashdepth_ros.network.temporal import StreamState

__all__ = ['PRESETS', 'FlashDepth', 'ModelConfig', 'StreamState', 'create_model', 'load_weights']
