"""Every message that docs/troubleshooting.md quotes is written somewhere in the source."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROWS = [line for line in (ROOT / "docs/troubleshooting.md").read_text().splitlines() if line.startswith("| `")]
SOURCE = "\n".join(path.read_text() for top in ("cgdmer", "flows") for path in sorted((ROOT / top).rglob("*.py")))
FOREIGN = {"Unable to acquire lock"}
"""DVC's own words, which flows/dvc.py waits on."""
QUOTED = [word for row in ROWS for word in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_there_are_rows():
    assert len(ROWS) >= 15


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_exists(message):
    flat = re.sub(r'"\s*\n\s*f?"', "", SOURCE)
    assert message in flat or message in FOREIGN, message


@pytest.mark.parametrize("name", ["security.md", "troubleshooting.md"])
def test_tests_named_in_a_document_exist(name):
    named = set(re.findall(r"`(tests/[\w/.]+)`", (ROOT / "docs" / name).read_text()))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
