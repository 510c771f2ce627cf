"""Download one large file over HTTP: resumed after an interruption, and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
import hashlib
from http.client import HTTPException
from pathlib import Path
import re
import shutil
import time
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from flashdepth_ros.errors import DownloadError
from flashdepth_ros.runtime.weights import file_sha256

_BLOCK = 2**20
_TIMEOUT_S = 30.0
_ATTEMPTS = 5
"""Number of connections in a row that bring nothing before the download is given up."""
_PAUSE_S = 0.5
"""Is waited after the first of them, twice that after the second, and so on."""
_HASH_HEADERS = ('X-Linked-Etag', 'ETag')
"""Hugging Face gives the SHA-256 of a large file in the first of these."""
_LATER, _FIRST_5XX = (408, 429), 500
"""The answers after which another attempt may help."""
_SHA256 = re.compile('[0-9a-f]{64}')


@dataclass(frozen=True)
class RemoteFile:
    """What a server tells of a file."""

    url: str
    size: int
    version: str
    """Its entity tag, which is its SHA-256 if that is published; '': not told."""

    @property
    def sha256(self) -> str:
        """Return the published SHA-256; '': not published."""
        return self.version if _SHA256.fullmatch(self.version) else ''


def look_up(url: str) -> RemoteFile:
    """
    Return size and version of a file without downloading it.

    :raises DownloadError: the server cannot be reached, has no such file or hides its size.
    """
    try:
        with _open(url, 0) as (headers, _):
            size = headers.get('X-Linked-Size') or headers.get('Content-Length')
            tags = [headers.get(name) for name in _HASH_HEADERS]
    except _ConnectionLost as error:
        raise DownloadError(str(error)) from error
    if not size or not size.isdigit():
        raise DownloadError(f'{url}: the server does not tell the size of the file')
    tag = next((each for each in tags if each), '')
    return RemoteFile(url, int(size), tag.removeprefix('W/').strip('"'))


def partial_path(remote: RemoteFile, target: Path) -> Path:
    """Return where the part of a download is kept: each version of the file has its own."""
    version = hashlib.sha256(f'{remote.version} {remote.size}'.encode()).hexdigest()[:12]
    return target.with_name(f'{target.stem}-{version}.part{target.suffix}')


def download(
    remote: RemoteFile,
    target: Path,
    progress: Callable[[int], None] = lambda _: None,
    also_needed: int = 0,
) -> None:
    """
    Download a file; an existing part of the same version is continued.

    `target` appears when the file is complete and its SHA-256, if published, is right.

    :param progress: is called with the number of bytes that are there, at first and as they come.
    :param also_needed: bytes of free space that are needed beside the file.
    :raises DownloadError: too little space, a failed connection, or wrong content. What was
        downloaded is kept for the next attempt, unless its content is wrong.
    """
    part = partial_path(remote, target)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        if not remote.version:
            # Nothing tells whether the part is of this version.
            part.unlink(missing_ok=True)
        _check_space(part, remote, also_needed)
        _complete(remote, part, progress)
        if remote.sha256 and file_sha256(part) != remote.sha256:
            part.unlink()
            raise DownloadError(f'{remote.url}: the SHA-256 is wrong; try again')
        part.replace(target)
    except OSError as error:
        raise DownloadError(f'{part}: cannot be written: {error.strerror or error}') from error


def _check_space(part: Path, remote: RemoteFile, also_needed: int) -> None:
    needed = remote.size - _size(part) + also_needed
    free = shutil.disk_usage(part.parent).free
    if free < needed:
        raise DownloadError(
            f'{part.parent}: {needed / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free'
        )


def _complete(remote: RemoteFile, part: Path, progress: Callable[[int], None]) -> None:
    """Append what is missing of a file; connect again as long as that brings something."""
    failures = 0
    progress(_size(part))
    while (present := _size(part)) != remote.size:
        if present > remote.size:
            part.unlink()
            raise DownloadError(f'{remote.url}: more than {remote.size} bytes came; try again')
        reason = f'{remote.url}: the connection ended early'
        try:
            _append(remote, part, present, progress)
        except _ConnectionLost as error:
            reason = str(error)
        failures = 0 if _size(part) > present else failures + 1
        time.sleep(_PAUSE_S * failures)
        if failures == _ATTEMPTS:
            raise DownloadError(
                f'{reason}: {_size(part)} of {remote.size} bytes are there; '
                'the same command continues'
            )


def _append(remote: RemoteFile, part: Path, present: int, progress: Callable[[int], None]) -> None:
    with _open(remote.url, present) as (headers, body):
        whole = present and not headers.get('Content-Range', '').startswith(f'bytes {present}-')
        with part.open('wb' if whole else 'ab') as file:
            for block in _blocks(body):
                file.write(block)
                progress(file.tell())


def _blocks(body: IO[bytes]) -> Iterator[bytes]:
    while True:
        try:
            block = body.read(_BLOCK)
        except (OSError, HTTPException) as error:
            raise _ConnectionLost(f'the connection failed: {error}') from error
        if not block:
            return
        yield block


class _ConnectionLost(Exception):  # noqa: N818 - no error if another attempt helps
    """The server cannot be reached, is overloaded, or the connection ended early."""


@contextmanager
def _open(url: str, start: int) -> Iterator[tuple[Message, IO[bytes]]]:
    """Yield the headers, first those of redirections, and the body from byte `start` on."""
    redirections = _Redirections()
    try:
        request = Request(url, headers={'Range': f'bytes={start}-'} if start else {})
        response = build_opener(redirections).open(request, timeout=_TIMEOUT_S)
    except HTTPError as error:
        later = error.code in _LATER or error.code >= _FIRST_5XX
        kind = _ConnectionLost if later else DownloadError
        raise kind(f'{url}: the server answers {error.code} {error.reason}') from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, 'reason', '') or error or type(error).__name__
        raise _ConnectionLost(f'{url}: cannot be reached: {reason}') from error
    except ValueError as error:
        raise DownloadError(f'{url}: not an address: {error}') from error
    with response:
        headers = Message()
        for each in (*redirections.headers, response.headers):
            for name, value in each.items():
                headers[name] = value
        if start:
            # The length of the rest is not that of the file.
            del headers['Content-Length']
        yield headers, response


class _Redirections(HTTPRedirectHandler):
    """Follows redirections and keeps their headers that are of the file."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        of_file = ('X-Linked-Size', 'X-Linked-Etag')
        self.headers.append({name: headers[name] for name in of_file if name in headers})
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
