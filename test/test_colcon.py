"""The package built, run and tested by colcon, as in a ROS workspace."""

from pathlib import Path
import subprocess
import sys
import time

import pytest

from support.installed_package import ROOT, build, colcon, environment

pytest.importorskip('colcon_ros', reason='needs colcon-common-extensions')


@pytest.fixture(scope='module', params=[(), ('--merge-install', '--symlink-install')])
def install(request, tmp_path_factory):
    return build(tmp_path_factory.mktemp('workspace'), *request.param)


@pytest.fixture
def prefix(install):
    return Path(environment(install)['AMENT_PREFIX_PATH'].split(':')[0])


def test_everything_lies_where_ros_looks_for_it(prefix):
    share = prefix / 'share/flashdepth_ros'
    for folder in ('launch', 'config', 'models'):
        for path in filter(Path.is_file, (ROOT / folder).rglob('*')):
            if '__pycache__' not in path.parts:
                assert (share / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    assert (share / 'package.xml').is_file()
    assert (prefix / 'share/ament_index/resource_index/packages/flashdepth_ros').is_file()
    executables = {path.name for path in (prefix / 'lib/flashdepth_ros').iterdir()}
    assert executables == {'depth_node', 'flashdepth'}


def test_the_tool_runs_from_the_workspace_and_tells_its_commands_at_once(install, prefix):
    command = [prefix / 'lib/flashdepth_ros/flashdepth', '--help']
    start = time.monotonic()
    run = subprocess.run(command, env=environment(install), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert 'demo' in run.stdout
    # Without torch or rclpy: Python's own start, twice, and no more. Both take seconds.
    assert time.monotonic() - start < 2


def test_the_node_is_found_in_the_workspace(install, prefix, tmp_path):
    script = prefix / 'lib/flashdepth_ros/depth_node'
    assert script.read_text().startswith('#!')
    code = 'from flashdepth_ros.node import depth_node; print(depth_node.__file__)'
    run = subprocess.run(
        [sys.executable, '-c', code],
        env=environment(install),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    found = Path(run.stdout.strip())
    assert found.is_relative_to(install) or found.is_relative_to(install.parent / 'build')


def test_colcon_test_runs_the_tests_and_reports_them(tmp_path):
    install = build(tmp_path)
    bases = ['--build-base', str(tmp_path / 'build'), '--install-base', str(install)]
    places = ['--base-paths', str(ROOT), *bases]
    colcon(tmp_path, 'test', *places, '--pytest-args', 'test/test_architecture.py')
    results = colcon(tmp_path, 'test-result', '--all', '--test-result-base', str(tmp_path))
    assert 'pytest.xml' in results
    assert ' 0 errors, 0 failures, 0 skipped' in results
    assert ': 0 tests' not in results
