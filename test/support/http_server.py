"""A local HTTP server with one file, and faults of real servers."""

from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import re
from threading import Thread


class FileServer:
    """
    Serves `content` at every path below `/files`, and redirections to it at every other one.

    The redirections carry the headers of Hugging Face. Each request takes the next fault:

    - a number: the connection ends after so many bytes;
    - 'status 503' or another one: this answer;
    - 'no ranges': the whole file, whatever was asked for.
    """

    def __init__(self, content, sha256=''):
        self.content, self.sha256 = content, sha256
        self.faults, self.ranges, self.tells_size = [], [], True

    @contextmanager
    def running(self):
        files = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                files.answer(self)

            def log_message(self, *_):
                pass

        with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
            thread = Thread(target=server.serve_forever, args=[0.01])
            thread.start()
            try:
                yield f'http://127.0.0.1:{server.server_address[1]}'
            finally:
                server.shutdown()
                thread.join()

    def answer(self, request):
        if not request.path.startswith('/files'):
            request.send_response(302)
            request.send_header('Location', '/files/elsewhere')
            request.send_header('Content-Length', '0')
            if self.sha256:
                request.send_header('X-Linked-Etag', f'"{self.sha256}"')
            request.end_headers()
            return
        asked = re.fullmatch(r'bytes=(\d+)-', request.headers.get('Range', ''))
        start = int(asked[1]) if asked else 0
        self.ranges.append(start)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, str) and fault.startswith('status'):
            request.send_error(int(fault.split()[1]))
            return
        if fault == 'no ranges':
            start, asked = 0, None
        body = self.content[start:]
        request.send_response(206 if asked else 200)
        if self.tells_size:
            request.send_header('Content-Length', str(len(body)))
        if asked:
            request.send_header(
                'Content-Range', f'bytes {start}-{len(self.content) - 1}/{len(self.content)}'
            )
        request.end_headers()
        # The client may have wanted only the headers.
        with suppress(OSError):
            request.wfile.write(body[:fault] if isinstance(fault, int) else body)
        request.close_connection = True
