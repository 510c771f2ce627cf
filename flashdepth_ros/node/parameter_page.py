"""
Generate `doc/parameters.md`, the table of the node's parameters.

    python -m flashdepth_ros.node.parameter_page > doc/parameters.md
"""

from __future__ import annotations

from dataclasses import Field
import sys
from typing import Any

from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.runtime.setting_description import Description, iter_settings

_INTRODUCTION = """\
# Parameters

<!-- Generated: python -m flashdepth_ros.node.parameter_page > doc/parameters.md -->

`config/depth.yaml` lists every parameter at its default. Copy the lines that you change into a
file of your own and pass it with `params_file:=FILE` to `ros2 launch` or with
`--ros-args --params-file FILE` to `ros2 run`:

```yaml
/**:
  ros__parameters:
    model: flashdepth-s
    depth.max: 20.0
```

`config/robot_cpu.yaml`, `jetson.yaml` and `desktop_gpu_2k.yaml` have what differs on such
machines, with reasons.

Parameters marked *any time* can be changed while the node runs, for example with
`ros2 param set /flashdepth depth.scale 1.1`; the new value applies from the next image on. The
others can be changed only while the node is unconfigured:

```
ros2 lifecycle set /flashdepth deactivate
ros2 lifecycle set /flashdepth cleanup
ros2 param set /flashdepth inference.short_side 364
ros2 lifecycle set /flashdepth configure
ros2 lifecycle set /flashdepth activate
```

A value that is not allowed is refused, the reason names the allowed values, and the old value
stays. With several `cameras`, each has parameters of its own: `front.depth.scale` is that of the
camera `front`; one that is not set has the value of `depth.scale`. Parameters marked *all cameras*
cannot be set for one. `flashdepth infer` has most parameters as options: `depth.scale` is
`--depth-scale`. The QoS of the topics is set by [`qos_overrides` parameters](topics.md#qos).

| parameter | type | default | allowed | change | meaning |
|---|---|---|---|---|---|
"""


_TYPES = {bool: 'bool', int: 'int', float: 'double', str: 'string', tuple: 'string[]'}


def page() -> str:
    """Return the text of the page."""
    rows = (_row(*setting) for setting in iter_settings(Parameters))
    return _INTRODUCTION + ''.join(rows)


def _row(name: str, each: Field[Any], description: Description) -> str:
    default = each.default
    shown = repr(list(default) if isinstance(default, tuple) else default)
    shown = shown.lower() if isinstance(default, bool) else shown
    kind = _TYPES[type(default)]
    change = 'any time' if description.dynamic else 'unconfigured'
    if description.at_start:
        change = 'at start'
    if description.shared:
        change += ', all cameras'
    cells = (f'`{name}`', kind, f'`{shown}`', _allowed(description), change, description.text)
    return f'| {" | ".join(cells)} |\n'


def _allowed(description: Description) -> str:
    if description.choices:
        return ', '.join(f'`{choice}`' for choice in description.choices)
    if description.high:
        return f'{description.low:g} to {description.high:g}'
    return ''


if __name__ == '__main__':
    sys.stdout.write(page())
