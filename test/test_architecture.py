"""The house rules that a test can check: who imports whom, and how large a file may be."""

import os
import subprocess
import sys

import pytest

from support.imports import PACKAGE, imports, sources
from support.paths import ROOT

LINES_MAX = 300
DRAWERS = {'utils', 'util', 'helpers', 'helper', 'common', 'misc'}

# What each room may import of the others; a room is a folder of the package, or a module beside
# the folders. `cli` starts every command, but imports its module only when it is called.
GROUND = {'entry_point', 'errors', 'installation', 'interruption', 'shipped'}
ARRAYS = GROUND | {'camera', 'messages', 'metrics'}
ESTIMATE = ARRAYS | {'network', 'runtime'}
ROOMS = {
    'errors': set(),
    'installation': {'errors'},
    'interruption': set(),
    'shipped': set(),
    'entry_point': {'errors', 'installation', 'interruption'},
    'camera': GROUND,
    'messages': GROUND | {'camera'},
    'metrics': GROUND | {'camera'},
    'network': GROUND,
    'stills': GROUND | {'camera'},
    'runtime': GROUND | {'camera', 'messages', 'network'},
    'ros': GROUND | {'camera', 'messages'},
    'presentation': ARRAYS,
    'simulation': ARRAYS,
    'bags': ESTIMATE,
    'node': ESTIMATE | {'ros'},
    'evaluation': ESTIMATE | {'bags', 'presentation', 'stills'},
    'training': ESTIMATE | {'simulation', 'stills'},
    'tools': ESTIMATE | {'ros', 'node', 'bags', 'presentation', 'simulation'},
    'cli': GROUND,
}
ROS_ROOMS = {'ros', 'node', 'tools'}
KEEPERS = {'mujoco': 'simulation', 'rosbags': 'bags'}
UNWANTED = {'mamba_ssm', 'flash_attn', 'xformers', 'cv_bridge'}
SLOW = {'torch', 'numpy', 'cv2', 'rclpy', 'rosbags', 'mujoco'}

WITHOUT_TORCH = (
    *('node.__main__', 'runtime', 'runtime.settings', 'runtime.products', 'network.config'),
    *('runtime.engines.exported_engine', 'runtime.engines.loading'),
    *('runtime.engines.onnx_session', 'runtime.engines.openvino_session', 'runtime.models'),
    *('bags.inference.command', 'bags.topics', 'tools.doctor.packages', 'tools.player.command'),
)
"""What exported models need, and the commands beside the node that work with them."""

IMPORTS = imports()
OWN = [edge for edge in IMPORTS if edge.module.startswith(f'{PACKAGE}.')]


def room(module: str) -> str:
    return module.split('.')[1]


def test_every_folder_and_every_module_beside_them_is_a_known_room():
    found = {path.parent.name for path in (ROOT / PACKAGE).glob('*/*.py')}
    found |= {path.stem for path in (ROOT / PACKAGE).glob('*.py')} - {'__init__'}
    assert found == set(ROOMS)


@pytest.mark.parametrize('name', ROOMS)
def test_a_room_imports_only_those_below_it(name):
    allowed = ROOMS[name] | {name}
    own = [edge for edge in OWN if room(edge.importer) == name]
    assert not [edge for edge in own if room(edge.module) not in allowed]


def test_the_rooms_have_no_circle():
    above = dict(ROOMS)
    while free := {name for name, below in above.items() if not below & set(above)}:
        above = {name: below for name, below in above.items() if name not in free}
    assert not above


def test_ros_is_imported_where_it_is_spoken_only():
    assert {room(edge.importer) for edge in IMPORTS if edge.is_ros} == ROS_ROOMS


def test_the_tests_of_a_room_lie_under_its_name():
    folders = {path.parent.name for path in (ROOT / 'test').glob('*/test_*.py')}
    assert folders <= set(ROOMS)


@pytest.mark.parametrize('package', KEEPERS)
def test_a_package_is_imported_in_one_room_only(package):
    assert {room(edge.importer) for edge in IMPORTS if edge.package == package} == {
        KEEPERS[package]
    }


def test_what_is_hard_to_install_is_not_imported():
    assert not [edge for edge in IMPORTS if edge.package in UNWANTED]


def test_the_command_line_imports_nothing_slow():
    assert not [e for e in IMPORTS if room(e.importer) == 'cli' and e.package in SLOW]


@pytest.mark.parametrize('path', sources(PACKAGE, 'launch', 'test'), ids=lambda path: path.stem)
def test_a_file_is_small_and_named_after_what_it_holds(path):
    assert len(path.read_text().splitlines()) <= LINES_MAX
    assert path.stem not in DRAWERS


def test_the_models_folder_holds_no_code():
    assert not sources('models')


def test_exported_models_need_no_pytorch():
    program = '; '.join(f'import {PACKAGE}.{module}' for module in WITHOUT_TORCH)
    path = os.pathsep.join((str(ROOT / 'test' / 'support' / 'without_torch'), str(ROOT)))
    ran = subprocess.run(
        [sys.executable, '-c', program],
        env={**os.environ, 'PYTHONPATH': path},
        capture_output=True,
        text=True,
    )
    assert not ran.returncode, ran.stderr
