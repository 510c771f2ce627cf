"""The Python classes of ROS messages."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def message_class(type_name: str) -> Any | None:
    """Return the class of 'package/msg/Name', or None if this computer does not have it."""
    package, _, name = type_name.partition('/msg/')
    try:
        found = getattr(import_module(f'{package}.msg'), name)
        # Its C library may be missing although Python finds the package.
        type(found).__import_type_support__()
    except Exception:  # noqa: BLE001 - a recording names any module, and importing runs its code
        return None
    return found
