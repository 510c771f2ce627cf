"""Finds what was set at start but has no effect: misspelt parameters, remaps and arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
import re
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, ReliabilityPolicy
from rclpy.utilities import remove_ros_args
import yaml

from flashdepth_ros.errors import ConfigError

_QOS = 'qos_overrides.'
_POLICIES = {
    'reliability': ReliabilityPolicy,
    'durability': DurabilityPolicy,
    'history': HistoryPolicy,
}
_QOS_OF_RCLPY = tuple(f'{_QOS}{topic}.' for topic in ('/clock', '/parameter_events', '/rosout'))
"""rclpy declares these, some of them only when they are needed."""
_SECTION = 'ros__parameters'


def check_qos_overrides(node: Node, except_for: Iterable[str]) -> None:
    """
    Check the values of the QoS parameters that were set at start.

    :param except_for: names of parameters with other values than rclpy's.
    :raises ConfigError: a value does not exist; the message lists those that do.
    """
    others = set(except_for)
    for name, value in _overrides(node).items():
        policy = name.rpartition('.')[2]
        if not name.startswith(_QOS) or name in others:
            continue
        if policy in _POLICIES:
            allowed = [key for key in _POLICIES[policy].short_keys() if key != 'unknown']
            if value not in allowed:
                expected = ', '.join(allowed)
                raise ConfigError(f'{name} {value!r} is not allowed; expected one of {expected}')
        if policy == 'depth' and not (type(value) is int and value > 0):
            raise ConfigError(f'{name} {value!r} is not allowed; expected an integer from 1')


def describe_ineffective(
    node: Node,
    later_inputs: Sequence[str],
    arguments: Sequence[str],
    common: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """
    Yield a warning for each kind of setting that has no effect on the node.

    :param node: its parameters are declared, and its publishers, subscriptions and services exist.
    :param later_inputs: resolved names of topics to which it may subscribe later.
    :param arguments: of the command line, with the name of the program.
    :param common: see `describe_unknown`.
    """
    given = [name for name in _overrides(node) if not name.startswith(_QOS_OF_RCLPY)]
    for reason in describe_unknown(node, given, later_inputs, common):
        yield f'parameters without effect, because {reason}'
    for path in _values_of(arguments, '--params-file'):
        yield from _unused_file(node, Path(path))
    yield from _parameters_of_others(node, _values_of(arguments, '-p', '--param'))
    ignored = remove_ros_args(list(arguments))[1:]
    remaps = _values_of(arguments, '-r', '--remap')
    # rcl takes FROM:=TO without a flag for a remap, in the way of ROS 1.
    remaps += [each for each in _values_of(arguments) if ':=' in each and each not in ignored]
    yield from _unknown_remaps(node, later_inputs, remaps)
    if ignored:
        yield (
            f'arguments without effect: {" ".join(ignored)}; give parameters as '
            "'--ros-args -p NAME:=VALUE' and remaps as '--ros-args -r FROM:=TO'"
        )


def _overrides(node: Node) -> dict[str, Any]:
    """Return names and values of the parameters that were set at start, known or not."""
    # rclpy has no public way to them that does not declare them.
    return {name: each.value for name, each in node._parameter_overrides.items()}


def describe_unknown(
    node: Node,
    names: Iterable[str],
    later_inputs: Iterable[str] = (),
    common: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """
    Yield why some of these parameters cannot be set, for each kind of them.

    :param common: names as if a single camera had a parameter that all share: the right ones.
    """
    common = common or {}
    known = [
        *node.get_parameters_by_prefix(''),
        *(
            f'{_QOS}{topic}.subscription.{policy}'
            for topic in later_inputs
            for policy in (*_POLICIES, 'depth')
        ),
    ]
    unknown = [name for name in names if name not in known]
    if shared := [name for name in unknown if name in common]:
        told = ', '.join(f'{name} (set {common[name]})' for name in shared)
        yield f'they have one value for all cameras: {told}'
    if others := [name for name in unknown if name not in common]:
        yield f'they do not exist: {_listed(others, known)}'


def _unused_file(node: Node, path: Path) -> Iterator[str]:
    """Yield a warning if a parameter file has no section for the node."""
    nodes = sorted(_nodes_in(yaml.safe_load(path.read_text(encoding='utf-8'))))
    if not any(_is_meant(name, node) for name in nodes):
        yield (
            f'{path} has no effect: it has parameters for {", ".join(nodes) or "no node"}, but '
            f'this node is {node.get_fully_qualified_name()}; use that name, or /** for any node'
        )


def _parameters_of_others(node: Node, rules: Iterable[str]) -> Iterator[str]:
    """Yield a warning for `-p NODE:NAME:=VALUE` with the names of other nodes."""
    names = [rule.partition(':=')[0] for rule in rules]
    others = [each for each in names if ':' in each and not _is_meant(each.split(':')[0], node)]
    if others:
        yield (
            f'parameters without effect, because they are for another node: {", ".join(others)}; '
            f'this node is {node.get_fully_qualified_name()}'
        )


def _unknown_remaps(
    node: Node, later_inputs: Iterable[str], rules: Iterable[str]
) -> Iterator[str]:
    used = {
        *later_inputs,
        *(each.topic_name for each in node.publishers),
        *(each.topic_name for each in node.subscriptions),
        *(node.resolve_service_name(each.srv_name) for each in node.services),
    }
    names = [rule.partition(':=')[0].rpartition(':')[2] for rule in rules]
    unknown = [
        name
        for name in names
        if not name.startswith('__')
        and node.resolve_topic_name(name) not in used
        and node.resolve_service_name(name) not in used
    ]
    parameters = [name for name in unknown if node.has_parameter(name)]
    if parameters:
        yield (
            f'remaps without effect: {", ".join(parameters)}; these are parameters, give them as '
            "'--ros-args -p NAME:=VALUE'"
        )
    unknown = [name for name in unknown if name not in parameters]
    if unknown:
        namespace = node.get_namespace().rstrip('/')
        known = [name.removeprefix(f'{namespace}/') for name in used]
        # Of inputs that are remapped, too.
        known += [each for each in ('image', 'camera_info') if not _has_cameras(node)]
        yield f'remaps without effect, because no topic has the name: {_listed(unknown, known)}'


def _has_cameras(node: Node) -> bool:
    return node.has_parameter('cameras') and bool(node.get_parameter('cameras').value)


def _listed(names: Iterable[str], known: Sequence[str]) -> str:
    """Return the names, each with the known name that is most like it."""
    nearest = {name: get_close_matches(name, known, 1) for name in names}
    return ', '.join(
        f'{name} (did you mean {found[0]}?)' if found else name for name, found in nearest.items()
    )


def _values_of(arguments: Sequence[str], *flags: str) -> list[str]:
    """Return the values of flags that are given to ROS; without flags, the other arguments."""
    values, to_ros = [], False
    for flag, value in zip(('', *arguments), arguments, strict=False):
        to_ros = value == '--ros-args' or (to_ros and value != '--')
        if flag in flags if to_ros else not flags:
            values.append(value)
    return values


def _nodes_in(content: Any, name: str = '') -> Iterator[str]:
    """Yield the node names of a parameter file."""
    if not isinstance(content, Mapping):
        return
    if _SECTION in content:
        yield name
    for key, inner in content.items():
        if key != _SECTION:
            yield from _nodes_in(inner, f'{name}/{str(key).strip("/")}')


def _is_meant(name: str, node: Node) -> bool:
    """Return whether a name from a parameter file, maybe with wildcards, is the node's."""
    tokens = {'**': '(/[^/]+)*', '*': '/[^/]+'}
    pattern = ''.join(tokens.get(each, f'/{re.escape(each)}') for each in name.split('/') if each)
    return re.fullmatch(pattern, node.get_fully_qualified_name()) is not None
