"""A Hugging Face hub on this machine: one model repository, answered as far as its client asks."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", "v1", COMMIT)


@contextmanager
def serve(repository: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the files of a folder as a repository; yield the address of the hub and the requests that it got."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = self.path.split("?")[0]
            asked.append(f"{self.command} {path}")
            files = sorted(file for file in folder.iterdir() if file.is_file())
            if not any(path.startswith(f"{start}/{repository}/") for start in ("/api/models", "")):
                self.send(b"{}", 404, {"X-Error-Code": "RepoNotFound"}, body=body)
            elif path.startswith("/api/models/"):
                kind, revision = path.removeprefix(f"/api/models/{repository}/").split("/")[:2]
                if revision not in REVISIONS:
                    self.send(b"{}", 404, {"X-Error-Code": "RevisionNotFound"}, body=body)
                elif kind == "tree":
                    tree = [
                        {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": "0" * 40}
                        for file in files
                    ]
                    self.send(json.dumps(tree).encode(), body=body)
                else:
                    siblings = [{"rfilename": file.name} for file in files]
                    info = {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings}
                    info |= {"tags": [], "downloads": 0, "likes": 0, "private": False}
                    self.send(json.dumps(info).encode(), body=body)
            else:
                file = folder / path.rsplit("/", 1)[1]
                if not file.is_file():
                    self.send(b"", 404, {"X-Error-Code": "EntryNotFound"}, body=body)
                    return
                content = file.read_bytes()
                headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
                self.send(content, headers=headers, body=body)

        def send(self, content: bytes, status: int = 200, headers: dict | None = None, *, body: bool) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
