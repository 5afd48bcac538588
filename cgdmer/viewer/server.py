"""A server for one person on this machine: loopback only, a secret in every address, nothing read by its path.

Requests are answered in threads, but all work is done one after another in the main thread (`Server.run`), where the
limits of `recordings.limits` hold and Ctrl-C arrives.
"""

import hmac
import logging
import queue
import secrets
import socketserver
import threading
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import urlsplit

from cgdmer.errors import CgdmerError

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
MAX_UPLOAD = 64 << 20
"""Bytes of the files that are sent at once."""
MAX_CONNECTIONS = 32
"""Connections that are open, each with one request."""
POLL, IDLE, PATIENCE = 0.2, 30.0, 120.0
"""Seconds between looks whether to end, that a connection may be idle, and that a request waits for its answer."""
FILES_HEADER = "X-Files"
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NOTHING = "default-src 'none'"
"""Policy of an answer that is no page."""


@dataclass(frozen=True)
class Answer:
    """What a request gets."""

    body: str
    kind: str = "text/html"
    code: int = 200
    policy: str = NOTHING
    download: str = ""
    """Name under which a browser saves it."""


class Site(Protocol):
    """The pages; their addresses are relative to the secret folder."""

    def get(self, address: str) -> Answer | None:
        """Return a page, or None if there is none of that address."""

    def drop(self, names: str, content: bytes) -> Answer:
        """Read files that were sent; `names` is the header that lists them."""


class Server(ThreadingHTTPServer):
    """The server; `url` is the address to open."""

    daemon_threads = True

    def __init__(self, port: int, site: Site) -> None:
        self.site, self.token = site, secrets.token_urlsafe(24)
        self._open = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._work: queue.SimpleQueue[tuple[Callable[[], Answer | None], Future[Answer | None]]] = queue.SimpleQueue()
        self.uploading = threading.Lock()
        super().__init__((HOST, port), Handler)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def server_bind(self) -> None:
        """Bind without looking up the name of the address, which could ask the network."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])

    def run(self) -> None:
        """Answer requests until an exception ends it, for example Ctrl-C."""
        threading.Thread(target=self.serve_forever, args=(POLL,), daemon=True).start()
        try:
            while True:
                try:
                    # Some libraries install a handler of Ctrl-C after which waiting goes on; so never wait for long.
                    work, future = self._work.get(timeout=POLL)
                except queue.Empty:
                    continue
                try:
                    future.set_result(work())
                except Exception as error:
                    future.set_exception(error)
        finally:
            self.shutdown()
            self.server_close()

    def in_main_thread(self, work: Callable[[], Answer | None]) -> Answer | None:
        """Return what `work` returns in the main thread; TimeoutError if it is too busy."""
        future: Future[Answer | None] = Future()
        self._work.put((work, future))
        return future.result(PATIENCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Open a connection unless there are too many."""
        if not self._open.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that closes a connection is no fault."""
        log.debug("a connection ended early")


class Refusal(Exception):
    """A request that is not answered, with the status that says so."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class Handler(BaseHTTPRequestHandler):
    """One request: is it for this server, by whom, for what."""

    server: Server
    timeout = IDLE
    server_version, sys_version = "cgdmer", ""

    def do_GET(self) -> None:
        self._respond(self._page)

    def do_HEAD(self) -> None:
        self._respond(self._page)

    def do_POST(self) -> None:
        self._respond(self._drop)

    def _respond(self, act: Callable[[str], Answer | None]) -> None:
        try:
            answer = act(self._address())
            if answer is None:
                raise Refusal(404, "There is no such page.")
        except Refusal as refusal:
            answer = Answer(refusal.text, "text/plain", refusal.code)
        except CgdmerError as error:
            answer = Answer(str(error), "text/plain", 400)
        except TimeoutError:
            answer = Answer("The server is busy; try again.", "text/plain", 503)
        except Exception as error:
            log.error("a page failed with %s", type(error).__name__)
            answer = Answer("The page could not be made.", "text/plain", 500)
        self._send(answer)

    def _address(self) -> str:
        """Return the address below the secret; Refusal for another host name or another secret."""
        hosts = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}
        if self.headers.get_all("Host", []) not in [[host] for host in hosts]:
            raise Refusal(403, "This server answers to 127.0.0.1 and localhost only.")
        start, token, address = (*self.path.partition("?")[0].split("/", 2), "", "")[:3]
        if start or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise Refusal(403, "The address lacks the secret that `cgdmer view` printed.")
        return address

    def _page(self, address: str) -> Answer | None:
        return self.server.in_main_thread(lambda: self.server.site.get(address))

    def _drop(self, address: str) -> Answer | None:
        if address != "drop":
            return None
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != self.headers["Host"]:
            raise Refusal(403, "Files are taken from this server's own page only.")
        if not self.server.uploading.acquire(blocking=False):
            raise Refusal(503, "Other files are being read; try again.")
        try:
            names, content = self.headers.get(FILES_HEADER, ""), self._body()
            return self.server.in_main_thread(lambda: self.server.site.drop(names, content))
        finally:
            self.server.uploading.release()

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit() and len(length) < 16):
            raise Refusal(411, "The length of the files is not stated.")
        if int(length) > MAX_UPLOAD:
            raise Refusal(413, f"At most {MAX_UPLOAD >> 20} MiB are read at once.")
        content = self.rfile.read(int(length))
        if len(content) != int(length):
            raise Refusal(400, "The files are incomplete.")
        return content

    def _send(self, answer: Answer) -> None:
        body = answer.body.encode("utf-8", "backslashreplace")
        self.send_response(answer.code)
        self.send_header("Content-Type", f"{answer.kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", f"{answer.policy}; frame-ancestors 'none'")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if answer.download:
            self.send_header("Content-Disposition", f'attachment; filename="{answer.download}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that is no HTTP, or of another method, in plain text."""
        if self.request_version != "HTTP/0.9":
            self.close_connection = True
            self._send(Answer("This request is not understood.", "text/plain", int(code)))

    def log_message(self, format: str, *args: Any) -> None:
        """Log no request: its address holds the secret."""
