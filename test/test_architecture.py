"""The house rules that a test can check: who imports whom, and how large a file may be."""

from imports import PACKAGE, ROOT, imports, sources
import pytest

LINES_MAX = 300
DRAWERS = {'utils', 'util', 'helpers', 'helper', 'common', 'misc'}

# What each room may import of the others. A room is a folder of the package; the modules beside
# the folders are the core. Doors (from `bags` down) import one another only as it stands here;
# `cli` starts them all, but late and by name.
CORE = {'core', 'errors'}
MODEL = CORE | {'network', 'runtime'}
ROOMS = {
    'errors': set(),
    'core': {'errors'},
    'network': CORE,
    'runtime': CORE | {'network'},
    'presentation': CORE,
    'bags': MODEL,
    'simulation': MODEL,
    'training': MODEL | {'simulation'},
    'evaluation': MODEL | {'presentation', 'bags'},
    'node': MODEL | {'presentation', 'bags', 'simulation'},
    'cli': CORE,
}
KEEPERS = {'mujoco': 'simulation', 'rosbags': 'bags'}
UNWANTED = {'mamba_ssm', 'flash_attn', 'xformers', 'cv_bridge'}
SLOW = {'torch', 'numpy', 'cv2', 'rclpy', 'rosbags', 'mujoco'}

IMPORTS = imports()
OWN = [edge for edge in IMPORTS if edge.module.startswith(f'{PACKAGE}.')]


def room(module: str) -> str:
    first = module.split('.')[1]
    return first if first in ROOMS or (ROOT / PACKAGE / first).is_dir() else 'core'


def test_every_folder_is_a_known_room():
    assert {path.parent.name for path in (ROOT / PACKAGE).glob('*/*.py')} <= set(ROOMS)


@pytest.mark.parametrize('name', ROOMS)
def test_a_room_imports_only_those_below_it(name):
    allowed = ROOMS[name] | {name}
    own = [edge for edge in OWN if room(edge.importer) == name]
    assert not [edge for edge in own if room(edge.module) not in allowed]


def test_the_core_has_no_circle():
    above = {edge.importer: set() for edge in OWN if room(edge.importer) == 'core'}
    for importer, module in OWN:
        if importer in above:
            above[importer].add(module)
    while free := {module for module, below in above.items() if not below & set(above)}:
        above = {module: below for module, below in above.items() if module not in free}
    assert not above


def test_only_the_node_imports_ros():
    users = {room(edge.importer) for edge in IMPORTS if edge.is_ros}
    assert users == {'node'}


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
