"""An edit of the package's code that no file on disk shows, for tests of what depends on the code."""

import pytest

from cgdmer import stage_code


def edit(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Give these files, by path below the project's root, another digest than they have."""
    edited, sha256 = {stage_code.ROOT / name for name in names}, stage_code.sha256
    assert all(path.is_file() for path in edited)
    monkeypatch.setattr(stage_code, "sha256", lambda path: "edited" if path in edited else sha256(path))
