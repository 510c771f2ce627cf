"""
The networks in plain PyTorch; every function takes and returns tensors.

A name is imported when it is used, because `network.config` has to be read without PyTorch, too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flashdepth_ros.network.config import ModelConfig
from flashdepth_ros.network.presets import PRESETS

if TYPE_CHECKING:
    from flashdepth_ros.network.checkpoint import load_weights
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
_MODULES = {
    'AttentionState': 'temporal_attention',
    'FlashDepth': 'flashdepth',
    'Network': 'models',
    'State': 'state',
    'StreamState': 'temporal',
    'VideoDepthAnything': 'video_depth_anything',
    'build_model': 'models',
    'create_model': 'models',
    'load_weights': 'checkpoint',
    'offline': 'windows',
    'window': 'windows',
}
"""The module of every name that needs PyTorch."""


def __getattr__(name: str) -> Any:
    """Import a name from its module."""
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_MODULES[name]}'), name)
