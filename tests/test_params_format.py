"""`dvc exp run --set-param` changes one line of params.yaml or of a profile, because they are as DVC writes them."""

import difflib
import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from cgdmer import settings
from cgdmer.settings import profiles

ROOT = Path(__file__).resolve().parents[1]
FILES = ["params.yaml", *(f"params/{path.name}" for path in sorted((ROOT / "params").glob("*.yaml")))]


def changed_lines(path: Path) -> list[str]:
    """Return the lines that differ once DVC has set the last word or number of a file to another one."""
    leaves = profiles.flat(settings.read(path)).items()
    key, value = [(key, value) for key, value in leaves if isinstance(value, int | float | str)][-1]
    before = path.read_text()
    apply_overrides(path, [f"{'.'.join(key)}={'other' if isinstance(value, str) else value + 1}"])
    difference = difflib.ndiff(before.splitlines(), path.read_text().splitlines())
    return [line for line in difference if line.startswith(("- ", "+ "))]


@pytest.mark.parametrize("name", FILES)
def test_dvc_changes_one_line(name, tmp_path):
    path = tmp_path / "copy.yaml"
    shutil.copy(ROOT / name, path)
    assert len(changed_lines(path)) == 2


def test_a_changed_profile_is_written_as_dvc_writes(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "params", tmp_path / "params")
    monkeypatch.chdir(tmp_path)
    for name in set(profiles.names()) - set(profiles.OF_COMMANDS):
        profiles.switch(name, adapt=lambda _: profiles.Adaptation({"matrix": {"encoders": [], "controls": ["random"]}}))
        assert len(changed_lines(Path("params.yaml"))) == 2
        Path("params.yaml").unlink()
