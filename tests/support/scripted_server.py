"""A real HTTP server on 127.0.0.1 for tests: correct ranges and validators, and faults on request."""

import hashlib
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@dataclass
class Fault:
    """The fault of one response; the defaults change nothing."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Close the connection after this many bytes of the body."""
    delay: float = 0.0
    """Seconds before the response starts."""
    ignore_range: bool = False
    body: bytes | None = None
    """Serve this instead of the file."""
    chunked: bool = False
    """Do not state the length."""
    throttle: float = 0.0
    """Seconds between blocks of 16 KiB."""


@dataclass
class Request:
    method: str
    path: str
    range: str | None
    port: int
    """Port of the client: the same for all requests of one connection."""
    status: int = 0


class Server:
    """`files` by path; each GET takes one of `faults[path]`, each HEAD one of `heads[path]`; `requests` lists all."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.heads: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.etags: dict[str, str] = {}
        self.requests: list[Request] = []
        self.url = ""

    def etag(self, path: str) -> str:
        return self.etags.get(path, f'"{hashlib.sha256(self.files[path]).hexdigest()[:16]}"')

    def gets(self, path: str | None = None) -> list[Request]:
        return [one for one in self.requests if one.method == "GET" and path in (None, one.path)]


def checksums(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(files[path]).hexdigest()} {path}\n" for path in sorted(files)).encode()


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[Server]:
    script = Server(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(script.faults)

        def do_HEAD(self) -> None:
            self.answer(script.heads)

        def answer(self, faults: defaultdict[str, deque[Fault]]) -> None:
            path = unquote(self.path.split("?")[0]).lstrip("/")
            request = Request(self.command, path, self.headers.get("Range"), self.client_address[1])
            script.requests.append(request)
            fault = faults[path].popleft() if faults[path] else Fault()
            time.sleep(fault.delay)
            status, body, headers = self.whole(path, fault)
            wanted = self.headers.get("Range")
            fits = self.headers.get("If-Range") in (None, headers.get("ETag"), headers.get("Last-Modified"))
            if status == 200 and wanted and fits and not fault.ignore_range:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                status, total = (206, len(body)) if start < len(body) else (416, len(body))
                headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}" if status == 206 else f"bytes */{total}"
                body = body[start:]
            request.status = status
            self.send(status, body, headers | fault.headers, fault)

        def whole(self, path: str, fault: Fault) -> tuple[int, bytes, dict[str, str]]:
            if fault.status:
                return fault.status, b"", {}
            if path not in script.files:
                return 404, b"", {}
            body = script.files[path] if fault.body is None else fault.body
            headers = {"ETag": script.etag(path), "Last-Modified": DATE}
            return 200, body, {name: value for name, value in headers.items() if value}

        def send(self, status: int, body: bytes, headers: dict[str, str], fault: Fault) -> None:
            self.send_response(status)
            headers = headers if fault.chunked else {"Content-Length": str(len(body))} | headers
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            if fault.chunked:
                self.close_connection = True
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command == "HEAD":
                return
            try:
                for start in range(0, len(body[: fault.cut]), 1 << 14):
                    self.wfile.write(body[start : min(start + (1 << 14), fault.cut or len(body))])
                    time.sleep(fault.throttle)
            except OSError:
                self.close_connection = True
            if fault.cut is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    try:
        yield script
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
