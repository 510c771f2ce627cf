"""The networks in plain PyTorch; every function takes and returns tensors."""

from flashdepth_ros.network.checkpoint import load_weights
from flashdepth_ros.network.config import PRESETS, ModelConfig
from flashdepth_ros.network.flashdepth import FlashDepth
from flashdepth_ros.network.models import Network, build_model, create_model
from flashdepth_ros.network.state import State
from flashdepth_ros.network.temporal import StreamState
from flashdepth_ros.network.temporal_attention import AttentionState
from flashdepth_ros.network.video_depth_anything import VideoDepthAnything
from flashdepth_ros.network.windows import offline, window

__all__ = [
    'PRESETS',
    'AttentionState',
    'FlashDepth',
    'ModelConfig',
    'Network',
    'State',
    'StreamState',
    'VideoDepthAnything',
    'build_model',
    'create_model',
    'load_weights',
    'offline',
    'window',
]
