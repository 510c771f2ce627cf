"""The settings as command-line options."""

from __future__ import annotations

import argparse
from typing import Any

from flashdepth_ros.runtime.setting_description import SettingsT, iter_settings, update
from flashdepth_ros.runtime.settings import Settings

_SWITCH = {'on': True, 'off': False}


def add_settings(parser: argparse.ArgumentParser, kind: type[Settings] = Settings) -> None:
    """Add an option for every setting, with the node parameter's default and description."""
    group = parser.add_argument_group('settings', 'the same as the parameters of the node')
    for _, field, description in iter_settings(kind):
        value = type(field.default)
        limits: dict[str, Any] = {'type': value, 'choices': description.choices or None}
        shown = field.default
        if value is bool:
            limits = {'choices': tuple(_SWITCH)}
            shown = 'on' if field.default else 'off'
        group.add_argument(
            option_name(field.name),
            dest=field.name,
            metavar=None if limits['choices'] else value.__name__.upper(),
            help=description.text.replace('%', '%%')
            + ('' if shown == '' else f' (default {shown})'),
            **limits,
        )


def settings_from_arguments(arguments: argparse.Namespace, kind: type[SettingsT]) -> SettingsT:
    """
    Return the settings from the options that `add_settings` added; others have their defaults.

    :raises ConfigError: a value is out of its range, or two values contradict each other.
    """
    changes = {}
    for name, field, _ in iter_settings(kind):
        value = getattr(arguments, field.name, None)
        if value is not None:
            changes[name] = _SWITCH[value] if isinstance(field.default, bool) else value
    return update(kind(), changes)


def option_name(name: str) -> str:
    """Return the name of the option for a field of `Settings`."""
    return '--' + name.removeprefix('inference_').replace('_', '-')
