"""
Inference engines with one interface, chosen by device, precision and name.

What needs PyTorch is imported when it is used.
"""

from typing import TYPE_CHECKING, Any

from flashdepth_ros.runtime.engines.engine import Engine
from flashdepth_ros.runtime.engines.loading import load_engine
from flashdepth_ros.runtime.engines.requested import ENGINES, PRECISIONS, EngineChoice

if TYPE_CHECKING:
    from flashdepth_ros.runtime.engines.choice import ResolvedChoice, create_engine, resolve

__all__ = [
    'ENGINES',
    'PRECISIONS',
    'Engine',
    'EngineChoice',
    'ResolvedChoice',
    'create_engine',
    'load_engine',
    'resolve',
]


def __getattr__(name: str) -> Any:
    """Import a name that needs PyTorch."""
    if name not in ('ResolvedChoice', 'create_engine', 'resolve'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from flashdepth_ros.runtime.engines import choice

    return getattr(choice, name)
