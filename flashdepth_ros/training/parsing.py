"""Build frozen dataclasses from YAML; every value is checked by the type of its field."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
import math
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

import yaml

from flashdepth_ros.errors import ConfigError

T = TypeVar('T')


@dataclass(frozen=True)
class Range:
    """The values that a number may have, in the type of a field: `Annotated[int, Range(1)]`."""

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def allows(self, value: float) -> bool:
        """Return whether a value is in the range; infinity and NaN never are."""
        between = self.low <= value <= self.high and self.above < value < self.below
        return math.isfinite(value) and between

    def __str__(self) -> str:
        """Return the limits as words."""
        limits = {
            'at least': self.low,
            'above': self.above,
            'at most': self.high,
            'below': self.below,
        }
        return ' and '.join(f'{word} {x:g}' for word, x in limits.items() if math.isfinite(x))


Count = Annotated[int, Range(1)]
Whole = Annotated[int, Range(0)]
Unsigned = Annotated[float, Range(0.0)]
Positive = Annotated[float, Range(above=0.0)]
Share = Annotated[float, Range(0.0, 1.0)]


def read_yaml(path: Path) -> object:
    """
    Return the content of a YAML file.

    :raises ConfigError: the file is missing or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise ConfigError(f'{path}: cannot be read: {error.strerror or error}') from error
    except UnicodeDecodeError as error:
        raise ConfigError(f'{path}: not a readable YAML file: it is not UTF-8 text') from error
    except yaml.YAMLError as error:
        raise ConfigError(f'{path}: not a readable YAML file: {_problem(error)}') from error


def _problem(error: yaml.YAMLError) -> str:
    """Return line and problem of an error whose own text has several lines."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f'line {error.problem_mark.line + 1}: {error.problem}'
    return ' '.join(str(error).split())


def parse(kind: type[T], content: object, where: str) -> T:
    """
    Build the dataclass `kind`, and the dataclasses in it, from a mapping.

    :param where: name of the mapping in error messages.
    :raises ConfigError: a key is unknown or missing, or a value has the wrong type or is out of
        its range.
    """
    if not isinstance(content, dict):
        raise ConfigError(f'{where}: {_shown(content)} given, a mapping expected')
    hints = get_type_hints(kind, include_extras=True)
    unknown = [key for key in content if key not in hints]
    if unknown:
        raise ConfigError(f'{where}: unknown {unknown[0]!r}; one of {", ".join(hints)} expected')
    values = {key: _value(hints[key], value, f'{where}: {key}') for key, value in content.items()}
    required = [
        field.name
        for field in fields(cast(Any, kind))
        if field.default is MISSING and field.default_factory is MISSING
    ]
    missing = [name for name in required if name not in content]
    if missing:
        raise ConfigError(f'{where}: incomplete; add {", ".join(missing)}')
    return kind(**values)


def _value(hint: Any, value: object, where: str) -> Any:
    if get_origin(hint) is Annotated:
        kind, limits = get_args(hint)
        number = _value(kind, value, where)
        if not limits.allows(number):
            raise ConfigError(f'{where}: {number!r} given, {limits} expected')
        return number
    if isinstance(hint, GenericAlias):
        if not isinstance(value, list):
            raise ConfigError(f'{where}: {_shown(value)} given, a list expected')
        item = get_args(hint)[0]
        return tuple(_value(item, each, f'{where}[{i}]') for i, each in enumerate(value))
    if is_dataclass(hint):
        return parse(cast(type, hint), value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        expected = f'{_shown(value)} given, {_KINDS[hint]} expected'
        raise ConfigError(f'{where}: {expected}{_hint(hint, value)}')
    return value


_KINDS: Mapping[type, str] = {
    bool: 'true or false',
    int: 'a whole number',
    float: 'a number',
    str: 'a text',
}


def _shown(value: object) -> str:
    """Return a value of a YAML file for an error message."""
    if value is None:
        return 'nothing'
    if isinstance(value, (dict, list)):
        return 'a mapping' if isinstance(value, dict) else 'a list'
    return repr(value) if isinstance(value, (str, int, float)) else str(value)


def _hint(hint: type, value: object) -> str:
    """Return how to write a number that YAML takes for a text, such as 7e-4."""
    if hint not in (int, float) or not isinstance(value, str):
        return ''
    try:
        number = float(value)
    except ValueError:
        return ''
    if not math.isfinite(number) or (hint is int and not number.is_integer()):
        return ''
    written = yaml.safe_dump(hint(number)).split()[0]
    return f': YAML takes {value} for a text, write {written}'
