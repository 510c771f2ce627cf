"""Documents agree with the code: parameters, tables, commands, and links between pages."""

import argparse
from importlib import import_module
import re
from runpy import run_path

import pytest
import yaml

from flashdepth_ros.cli import COMMANDS
from flashdepth_ros.node import parameter_page
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.statistics import STAGES
from flashdepth_ros.runtime import ResetReason
from flashdepth_ros.runtime.setting_description import iter_settings
from support import markdown
from support.paths import ROOT

PAGES = markdown.pages(ROOT)
BY_PAGE = pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
TOPICS = (ROOT / 'doc' / 'topics.md').read_text()
COMMAND = re.compile(r'(?:^|\s|bin/)flashdepth ([\w-]+)(.*)')
LAUNCH = re.compile(r'ros2 launch flashdepth_ros (\w+)\.launch\.py(.*)')


def test_parameter_page_is_up_to_date():
    command = 'python -m flashdepth_ros.node.parameter_page > doc/parameters.md'
    assert (ROOT / 'doc' / 'parameters.md').read_text() == parameter_page.page(), command


def test_parameter_page_has_every_default_and_description():
    rows = markdown.table(f'\n## all\n{parameter_page.page()}', 'all')
    assert [(row[0], row[-1]) for row in rows] == [
        (name, description.text) for name, _, description in iter_settings(Parameters)
    ]
    for (_, each, _), row in zip(iter_settings(Parameters), rows, strict=True):
        default = list(each.default) if isinstance(each.default, tuple) else each.default
        assert yaml.safe_load(row[2]) == default


def test_every_reset_reason_is_documented():
    reasons = [row[0] for row in markdown.table(TOPICS, 'Reset reasons')]
    assert reasons == [reason.value for reason in ResetReason if reason.value]


def test_every_key_of_the_timing_message_is_documented():
    keys = [row[0] for row in markdown.table(TOPICS, 'Timing')]
    frame = ['sequence_id', 'frames_since_reset', 'reset_reason', 'scale', 'scale_changed']
    assert keys == [*frame, *STAGES]


def test_every_extra_is_documented_with_its_packages(monkeypatch):
    given = {}
    monkeypatch.setattr('setuptools.setup', given.update)
    run_path(str(ROOT / 'setup.py'))
    rows = markdown.table((ROOT / 'doc' / 'installation.md').read_text(), 'Optional dependencies')
    listed = {row[0]: row[2].split(', ') for row in rows[1:]}
    extras = given['extras_require']
    assert rows[0][0] == 'jazzy`, `kilted'
    assert listed == {name: extras[name] for name in extras if name not in ('jazzy', 'kilted')}


@BY_PAGE
def test_links_lead_to_files_and_anchors(page):
    broken = []
    for link in markdown.links(page.read_text()):
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        if re.match(r'(https?|mailto):', link):
            continue
        if not target.exists() or (anchor and anchor not in markdown.anchors(target.read_text())):
            broken.append(link)
    assert not broken


@BY_PAGE
def test_options_of_flashdepth_commands_exist(page):
    for line in markdown.commands(page.read_text()):
        for name, rest in COMMAND.findall(line):
            assert name in COMMANDS, line
            unknown = set(re.findall(r'(?<!\S)--[a-z][\w-]*', rest)) - options(name, rest)
            assert not unknown, line


def options(name, rest):
    """Return the options of a command in the mode that the rest of the line selects."""
    parser = argparse.ArgumentParser()
    module = COMMANDS[name].module_for(rest.split())
    import_module(f'flashdepth_ros.{module}').add_arguments(parser)
    return set(COMMANDS[name].modes) | set(all_options(parser))


def all_options(parser):
    yield from parser._option_string_actions
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from all_options(sub)


@BY_PAGE
def test_arguments_of_launch_commands_exist(page):
    for line in markdown.commands(page.read_text()):
        for name, rest in LAUNCH.findall(line):
            known = launch_arguments('depth') | launch_arguments(name)
            assert set(re.findall(r'(\w+):=', rest)) <= known, line


def launch_arguments(name):
    """Return the words in quotes in a launch file, its arguments among them."""
    return set(re.findall(r"'(\w+)'", (ROOT / 'launch' / f'{name}.launch.py').read_text()))


def test_every_launch_argument_is_documented():
    examples = (ROOT / 'doc' / 'examples.md').read_text()
    calls = {'depth': '_argument'} | dict.fromkeys(('replay', 'demo'), 'DeclareLaunchArgument')
    depth, replay, demo = (
        re.findall(rf"{call}\(\s*'(\w+)'", (ROOT / 'launch' / f'{name}.launch.py').read_text())
        for name, call in calls.items()
    )
    assert depth
    assert replay
    assert demo
    listed = set(re.findall(r'`(\w+)`', examples.split('\n## Launch arguments\n')[1]))
    assert {*depth, *replay, *demo} <= listed
