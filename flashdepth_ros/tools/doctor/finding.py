"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, FAIL = 'OK', 'WARN', 'FAIL'
"""WARN: the node runs, but slower or not in every situation. FAIL: it does not work."""


@dataclass(frozen=True)
class Finding:
    """The result of one check; `fix` is empty if nothing needs to be done."""

    name: str
    value: str
    status: str = OK
    fix: str = ''
