"""What describes the package to ROS, to pip and to users, held together."""

from itertools import chain
from pathlib import Path
import re
from runpy import run_path
import sys

import pytest
import yaml

import flashdepth_ros
from flashdepth_ros.installation import missing_package
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.runtime.setting_description import iter_settings
from support.imports import PACKAGE, ROOT, imports


@pytest.fixture
def manifest():
    parser = pytest.importorskip('catkin_pkg.package', reason='needs colcon-common-extensions')
    warnings = []
    manifest = parser.parse_package(str(ROOT), warnings=warnings)
    assert not warnings
    return manifest


def names(text):
    """Return the distributions that requirement lines or strings name."""
    return {name.lower() for name in re.findall(r'^[A-Za-z][\w.-]*\w', text, re.MULTILINE)}


def test_the_version_is_the_same_everywhere(manifest):
    assert manifest.version == flashdepth_ros.__version__
    assert f"version='{flashdepth_ros.__version__}'" in (ROOT / 'setup.py').read_text()
    assert f'\n{flashdepth_ros.__version__} (' in (ROOT / 'CHANGELOG.rst').read_text()


def test_every_ros_package_that_is_imported_is_declared(manifest):
    declared = {dependency.name for dependency in manifest.exec_depends}
    assert {edge.package for edge in imports() if edge.is_ros} <= declared


def test_the_licence_is_named_and_there(manifest):
    assert [(str(each), each.file) for each in manifest.licenses] == [('Apache-2.0', 'LICENSE')]
    assert (ROOT / 'LICENSE').is_file()


@pytest.fixture
def given(monkeypatch):
    """Return the arguments that setup.py passes to setuptools."""
    given = {}
    monkeypatch.setattr('setuptools.setup', given.update)
    run_path(str(ROOT / 'setup.py'))
    return given


def test_the_error_about_a_missing_package_names_what_installs_it(given):
    needed = names('\n'.join(given['install_requires'])) | {'triton'}  # which comes with torch
    foreign = {edge.package for edge in imports()} - sys.stdlib_module_names - {PACKAGE}
    for package in foreign:
        advice = missing_package(ModuleNotFoundError(name=package))
        assert package in advice
        extra = re.search(r"in a checkout: pip install (?:'\.\[(\w+)\]'|\.)", advice)[1]
        if extra is None:
            assert advice.rpartition(' ')[2] in needed, package
        else:
            assert extra in given['extras_require'], package


def test_everything_that_make_installs_is_pinned(given):
    wanted = [*given['install_requires'], *chain(*given['extras_require'].values())]
    wanted.append((ROOT / 'test/requirements.txt').read_text())
    assert names('\n'.join(wanted)) <= names((ROOT / 'constraints.txt').read_text())


def test_the_parameter_file_lists_every_parameter_at_its_default():
    file = yaml.safe_load((ROOT / 'config/depth.yaml').read_text())
    listed = dict(flat(file['/**']['ros__parameters']))
    listed['cameras'] = tuple(listed['cameras'])
    assert listed == {name: each.default for name, each, _ in iter_settings(Parameters)}


def flat(tree, prefix=''):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f'{prefix}{name}.')
        else:
            yield prefix + name, value


def test_the_rviz_configuration_shows_what_the_node_publishes():
    config = yaml.safe_load((ROOT / 'config/depth.rviz').read_text())
    displays = config['Visualization Manager']['Displays']
    topics = {d['Topic']['Value']: d['Topic'] for d in displays if 'Topic' in d}
    assert set(topics) == {'image', 'depth/image_color', 'points'}
    assert topics['points']['Reliability Policy'] == 'Reliable'
    assert not [name for name in topics if Path(name).is_absolute()]
