"""A headless browser, controlled over its DevTools protocol."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
from pathlib import Path
import shutil
import subprocess
import time
from typing import Any

import websocket

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
_FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--remote-debugging-port=0',
    '--remote-allow-origins=*',
)
_START_S = 30


def find_browser() -> str | None:
    """Return the path of an installed browser, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Tab:
    """One tab: protocol calls, and the problems that the page caused."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=_START_S)
        self._calls = 0
        self.problems: list[str] = []
        self._loaded = False
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')

    def call(self, method: str, **parameters: Any) -> Any:
        self._calls += 1
        call = {'id': self._calls, 'method': method, 'params': parameters}
        self._socket.send(json.dumps(call))
        while (message := self._receive()).get('id') != self._calls:
            pass
        assert 'error' not in message, message
        return message['result']

    def open(self, page: Path, width: int, height: int = 900) -> None:
        """Load a file in a viewport of this size in px; below 600 px width as on a phone."""
        self.call(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self._loaded = False
        self.call('Page.navigate', url=page.resolve().as_uri())
        while not self._loaded:
            self._receive()

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        found = self.call('Runtime.evaluate', expression=expression, returnByValue=True)
        assert 'exceptionDetails' not in found, found
        return found['result'].get('value')

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv())
        method, parameters = message.get('method', ''), message.get('params', {})
        self._loaded |= method == 'Page.loadEventFired'
        if method == 'Log.entryAdded' and parameters['entry']['level'] in ('warning', 'error'):
            self.problems.append(parameters['entry']['text'])
        elif method == 'Runtime.exceptionThrown' or method == 'Runtime.consoleAPICalled':
            self.problems.append(json.dumps(parameters))
        elif method == 'Network.requestWillBeSent':
            address = parameters['request']['url']
            if not address.startswith(('file:', 'data:')):
                self.problems.append(f'network request: {address}')
        return message


@contextmanager
def open_browser(browser: str, profile: Path) -> Iterator[Tab]:
    """Start a browser with its own profile and yield its tab; close it at the end."""
    process = subprocess.Popen(
        [browser, *_FLAGS, f'--user-data-dir={profile}', 'about:blank'],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        tab = Tab(_tab_address(profile))
        yield tab
        tab.close()
    finally:
        process.terminate()
        process.wait(_START_S)


def _tab_address(profile: Path) -> str:
    from urllib.request import urlopen

    port_file = profile / 'DevToolsActivePort'
    end = time.monotonic() + _START_S
    while not port_file.exists() or not port_file.read_text():
        assert time.monotonic() < end, 'the browser did not start'
        time.sleep(0.05)
    port = port_file.read_text().splitlines()[0]
    with urlopen(f'http://127.0.0.1:{port}/json/list', timeout=_START_S) as answer:
        tabs = json.load(answer)
    return next(tab['webSocketDebuggerUrl'] for tab in tabs if tab['type'] == 'page')
