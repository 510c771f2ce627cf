"""What was changed in a configuration since the run that left a checkpoint."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from flashdepth_ros.training.config import TrainingConfig

_NO_EFFECT = ('output', 'compile', 'workers', 'save_every')
"""Keys that do not change the result."""
_LISTED = 4
"""How many changes are listed."""


def describe_changes(before: Mapping[str, object], config: TrainingConfig) -> str:
    """
    Return the keys whose values differ, with both values; '' if none does.

    :param before: the earlier configuration as nested dicts; keys that it lacks are not compared.
    """
    now = {key: value for key, value in asdict(config).items() if key not in _NO_EFFECT}
    changes = list(_changes(before, now))
    more = f'; {len(changes) - _LISTED} more' if len(changes) > _LISTED else ''
    return '; '.join(changes[:_LISTED]) + more


def _changes(before: object, now: object, where: str = '') -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in now:
            if key in before:
                yield from _changes(before[key], now[key], f'{where}.{key}' if where else key)
    elif isinstance(before, (list, tuple)) and isinstance(now, (list, tuple)):
        if len(before) != len(now):
            yield f'{where}: {len(before)} entries then, {len(now)} now'
            return
        for index, pair in enumerate(zip(before, now, strict=True)):
            yield from _changes(*pair, f'{where}[{index}]')
    elif before != now:
        yield f'{where}: {_shown(before)} then, {_shown(now)} now'


def _shown(value: object) -> str:
    return 'nothing' if value == '' else str(value)
