"""YAML files beside still images, and the words for what is wrong in them."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from flashdepth_ros.errors import InputError

_SHOWN_MAX = 60


def read_mapping(path: Path) -> dict[str, object]:
    """Return the keys and values of a YAML file; InputError if it cannot be read as that."""
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise InputError(f'{path.name}: cannot be read: {error.strerror}') from error
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(
            f'{path.name}: not YAML{_place(error)}; expected lines like key: value'
        ) from error
    if not isinstance(content, dict | None):
        raise InputError(f'{path.name} has {shown(content)}; expected lines like key: value')
    return {str(key): value for key, value in (content or {}).items()}


def shown(value: object) -> str:
    """Return a value of a YAML file for a message, not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_MAX else f'{text[:_SHOWN_MAX]}...'


def _place(error: Exception) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return f' in line {mark.line + 1}' if mark else ''
