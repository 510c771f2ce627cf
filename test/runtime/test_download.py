"""Downloads from a real server on this computer that fails as servers and networks do."""

from collections import namedtuple
import hashlib
from pathlib import Path
import shutil

import pytest

from flashdepth_ros.errors import DownloadError
from flashdepth_ros.runtime import download as module
from flashdepth_ros.runtime.download import download, look_up, partial_path
from support.full_disk import file_size_limit
from support.http_server import FileServer

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LOOK, HALF = None, len(CONTENT) // 2


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(module, '_PAUSE_S', 0.0)


@pytest.fixture
def server():
    return FileServer(CONTENT, SHA256)


@pytest.fixture
def address(server):
    with server.running() as address:
        yield f'{address}/owner/name/resolve/main/file.pth'


@pytest.fixture
def target(tmp_path):
    return tmp_path / 'cache' / 'file.pth'


def test_size_and_hash_come_from_the_redirection(server, address):
    remote = look_up(address)
    assert (remote.size, remote.sha256) == (len(CONTENT), SHA256)
    server.sha256 = ''
    assert look_up(address).sha256 == ''


@pytest.mark.parametrize(
    ('faults', 'ranges'),
    [
        ([], [0]),
        ([HALF], [0, HALF]),
        ([1000, 1000, 'status 503', 1000], [0, 1000, 2000, 2000, 3000]),
        ([HALF, 'no ranges'], [0, HALF]),
        ([0, 0, 0, 0], [0, 0, 0, 0, 0]),
    ],
    ids=['whole', 'cut', 'often cut', 'server without ranges', 'four failures'],
)
def test_file_is_complete_whatever_the_connection_does(server, address, target, faults, ranges):
    remote, seen = look_up(address), []
    server.faults, server.ranges = faults, []
    download(remote, target, seen.append)
    assert target.read_bytes() == CONTENT
    assert server.ranges == ranges
    assert seen[0] == 0
    assert seen[-1] == len(CONTENT)
    assert [each.name for each in target.parent.iterdir()] == ['file.pth']


def test_interrupted_download_is_continued_by_the_next_one(server, address, target):
    remote = look_up(address)

    def interrupt(present):
        if present:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(remote, target, interrupt)
    assert not target.exists()
    kept = partial_path(remote, target).stat().st_size
    assert 0 < kept < len(CONTENT)
    server.ranges = []
    download(remote, target)
    assert server.ranges == [kept]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize('sha256', ['', 64 * 'f'])
def test_part_of_another_version_is_not_continued(server, address, target, sha256):
    old = look_up(address)
    partial_path(old, target).parent.mkdir(parents=True)
    partial_path(old, target).write_bytes(b'old')
    server.sha256 = sha256
    new = look_up(address)
    server.ranges = []
    if sha256:
        with pytest.raises(DownloadError, match='SHA-256 is wrong'):
            download(new, target)
        assert not partial_path(new, target).exists()
        assert not target.exists()
    else:
        partial_path(new, target).write_bytes(b'old')
        download(new, target)
        assert target.read_bytes() == CONTENT
    assert server.ranges == [0]


@pytest.mark.parametrize(
    ('faults', 'message'),
    [
        (['status 404'], 'answers 404 Not Found'),
        (['status 503'] * 5, 'answers 503 .*0 of 5120000 bytes are there; the same command'),
        ([1000, *[0] * 5], 'ended early: 1000 of 5120000 bytes are there; the same command'),
    ],
)
def test_connection_that_does_not_work_is_one_line(server, address, target, faults, message):
    remote = look_up(address)
    server.faults = faults
    with pytest.raises(DownloadError, match=message):
        download(remote, target)
    assert not target.exists()


def test_what_cannot_be_looked_up_is_one_line(server, address):
    server.faults = ['status 401', 'status 503']
    for code in (401, 503):
        with pytest.raises(DownloadError, match=f'answers {code}'):
            look_up(address)
    server.tells_size = False
    with pytest.raises(DownloadError, match='does not tell the size'):
        look_up(address)
    for url, message in (
        ('http://127.0.0.1:9/file', 'cannot be reached: .*refused'),
        ('nonsense', 'not an address'),
    ):
        with pytest.raises(DownloadError, match=message):
            look_up(url)


def test_too_little_space_is_found_before_the_download(server, address, target, monkeypatch):
    remote = look_up(address)
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage(10**9, 0, 6_000_000))
    server.ranges = []
    with pytest.raises(DownloadError, match='7 MB needed, 6 MB free'):
        download(remote, target, also_needed=1_500_000)
    assert server.ranges == []
    download(remote, target)


def test_disk_that_becomes_full_is_one_line_and_the_part_is_kept(address, target):
    remote = look_up(address)
    with file_size_limit(2_000_000), pytest.raises(DownloadError, match='cannot be written'):
        download(remote, target)
    assert not target.exists()
    download(remote, target)
    assert target.read_bytes() == CONTENT


def test_folder_that_cannot_be_made_is_one_line(address, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(DownloadError, match='cannot be written'):
        download(look_up(address), Path(tmp_path, 'file', 'below', 'file.pth'))
