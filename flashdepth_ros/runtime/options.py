"""The settings as options of a command line."""

from __future__ import annotations

import argparse
from typing import Any

from flashdepth_ros.runtime.settings import Settings, described, update

_SWITCH = {'on': True, 'off': False}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for every setting, which has the node's name, default and description."""
    group = parser.add_argument_group('settings', "as the node's parameters")
    for _, field, description in described(Settings):
        kind = type(field.default)
        limits: dict[str, Any] = {'type': kind, 'choices': description.choices or None}
        shown = field.default
        if kind is bool:
            limits = {'choices': tuple(_SWITCH)}
            shown = 'on' if field.default else 'off'
        group.add_argument(
            option_of(field.name),
            dest=field.name,
            metavar=None if limits['choices'] else kind.__name__.upper(),
            help=description.text + ('' if shown == '' else f' (default {shown})'),
            **limits,
        )


def settings_of(arguments: argparse.Namespace) -> Settings:
    """
    Return the settings that the options of `add_settings` make.

    :raises ConfigError: a value out of its range, or two that contradict each other.
    """
    changes = {}
    for name, field, _ in described(Settings):
        value = getattr(arguments, field.name)
        if value is not None:
            changes[name] = _SWITCH[value] if isinstance(field.default, bool) else value
    return update(Settings(), changes)


def option_of(name: str) -> str:
    """Return the option of a field of `Settings`."""
    return '--' + name.removeprefix('inference_').replace('_', '-')
