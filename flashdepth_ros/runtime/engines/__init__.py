"""What runs the network: one interface, chosen by device, precision and name."""

from flashdepth_ros.runtime.engines.choice import (
    ENGINES,
    PRECISIONS,
    EngineChoice,
    Resolved,
    create_engine,
    resolve,
)
from flashdepth_ros.runtime.engines.engine import Engine

__all__ = [
    'ENGINES',
    'PRECISIONS',
    'Engine',
    'EngineChoice',
    'Resolved',
    'create_engine',
    'resolve',
]
