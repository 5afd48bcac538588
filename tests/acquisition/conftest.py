"""Fixtures of the download tests: an empty project folder, and a server that offers a small corpus."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.scripted_server import Server, checksums, serve
from support.served_corpus import SAME


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server() -> Iterator[Server]:
    files = {f"ptb-xl/1.0.3/{path}": content for path, content in SAME.items()}
    with serve(files | {"ptb-xl/1.0.3/SHA256SUMS.txt": checksums(SAME)}) as running:
        yield running
