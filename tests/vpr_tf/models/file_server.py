"""A small HTTP server on this machine, for tests of downloads."""

import contextlib
import hashlib
import http.server
import re
import threading


class FileServer:
    """Serves files by path; attributes make it misbehave.

    Attributes:
        files: Bodies by path.
        requests: Pairs of path and Range header, as they came.
        break_after: Bytes after which the next responses end, one for each response.
        ignore_range: Always sends the whole file.
        headers: Further headers of each response.
        redirects: Addresses by path.
    """

    def __init__(self):
        self.files = {}
        self.requests = []
        self.break_after = []
        self.ignore_range = False
        self.without_length = False
        self.headers = {}
        self.redirects = {}
        self.url = ""

    def respond(self, handler):
        wanted = handler.headers.get("Range")
        self.requests.append((handler.path, wanted))
        if handler.path in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[handler.path])
            handler.end_headers()
            return
        if handler.path not in self.files:
            handler.send_error(404)
            return
        body = self.files[handler.path]
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if self.ignore_range or handler.headers.get("If-Range") != tag:
            start = 0
        if start > 0 and start >= len(body):
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header(
                "Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}"
            )
        if not self.without_length:
            handler.send_header("Content-Length", str(len(body) - start))
        handler.send_header("ETag", tag)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        end = start + self.break_after.pop(0) if self.break_after else len(body)
        with contextlib.suppress(ConnectionError):  # the caller may have left
            handler.wfile.write(body[start:end])


@contextlib.contextmanager
def file_server():
    """Yields a running `FileServer`."""
    server = FileServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.respond(self)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        server.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(
            target=httpd.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        try:
            yield server
        finally:
            httpd.shutdown()
            thread.join()
