"""Inference engines with one interface, chosen by device, precision and name."""

from flashdepth_ros.runtime.engines.choice import (
    ENGINES,
    PRECISIONS,
    EngineChoice,
    ResolvedChoice,
    create_engine,
    resolve,
)
from flashdepth_ros.runtime.engines.engine import Engine

__all__ = [
    'ENGINES',
    'PRECISIONS',
    'Engine',
    'EngineChoice',
    'ResolvedChoice',
    'create_engine',
    'resolve',
]
