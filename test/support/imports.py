"""Who imports whom, read from the source without running it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from support.paths import ROOT

PACKAGE = 'flashdepth_ros'
ROS = {'rclpy', 'launch', 'launch_ros', 'ament_index_python', 'cv_bridge', 'tf2_ros'}
ROS_MESSAGES = ('_msgs', '_srvs', '_interfaces')


class Import(NamedTuple):
    """One module that imports another."""

    importer: str
    module: str

    @property
    def package(self) -> str:
        """The distribution that is imported, more or less: the first part of the module's name."""
        return self.module.split('.')[0]

    @property
    def is_ros(self) -> bool:
        return self.package in ROS or self.package.endswith(ROS_MESSAGES)


def sources(*folders: str) -> list[Path]:
    """Return every Python file in these folders of the checkout."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob('*.py'))


def imports() -> list[Import]:
    """Return every import in the package, wherever in a file it is."""
    return [
        Import('.'.join(path.relative_to(ROOT).with_suffix('').parts), module)
        for path in sources(PACKAGE)
        for module in _imported(path)
    ]


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(), path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}:{node.lineno}: a relative import'
            for name in node.names:
                whole = f'{node.module}.{name.name}'
                yield whole if _is_module(whole) else str(node.module)


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split('.'))
    return path.is_dir() or path.with_suffix('.py').is_file()
