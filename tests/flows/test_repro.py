"""`flows.repro` leaves the bytes that `dvc repro` leaves, and asks DVC's own writer only where it has to."""

from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("dvc")
from dvc import cli, dvcfile
from dvc.utils.serialize import dumps_yaml, modify_yaml

from flows import repro

ROOT = Path(__file__).resolve().parents[2]
STAGE = OrderedDict(
    cmd="python -m cgdmer run shards " + "a_long_name " * 12,
    deps=[{"path": "a/b", "hash": "md5", "md5": "0123e4", "size": 3}, {"path": "ü", "nfiles": 0}],
    params={"params.yaml": {"low": 0.5, "corpora": {"url": None, "leads": [["I", "II"], []]}}},
)
PLAIN = OrderedDict(cmd="true", deps=[{"path": "a", "md5": "68b329da9893e34099c7d8ad5cb9c940"}], params={"x": None})


def lock(stages=12):
    """Return the beginning of the project's `dvc.lock`."""
    text = (ROOT / "dvc.lock").read_text()
    begins = [i for i, line in enumerate(text.splitlines()) if line[:2] == "  " and line[2] not in " -"]
    return "\n".join(text.splitlines()[: begins[stages]]) + "\n"


def put(modify, path, stages):
    with modify(str(path)) as data:
        data.update({"schema": "2.0"})
        data["stages"] = data.get("stages", {})
        data["stages"].update(stages)


CASES = {
    "a stage that is known": (lock(), {"protocol": PLAIN}, False),
    "a new stage": (lock(), {"new": PLAIN}, False),
    "the stage as it was": (lock(), {}, False),
    "texts that only YAML 1.2 quotes": (lock(2), {"protocol": STAGE}, True),
    "a small number": (lock(2) + "  small:\n    cmd: 'true'\n    params:\n      x: 1e-05\n", {"new": STAGE}, True),
    "a number that is written differently": (lock(2), {"new": PLAIN | {"params": {"x": 1e-05}}}, True),
    "a comment": ("# mine\n" + lock(2), {"protocol": PLAIN}, True),
    "an empty file": ("", {"protocol": PLAIN}, True),
    "no file": (None, {"protocol": PLAIN}, True),
    "other sections": ("schema: '2.0'\ndatasets: []\nstages: {}\n", {"protocol": PLAIN}, True),
}


@pytest.mark.parametrize("case", CASES)
def test_the_bytes_are_those_of_dvc(tmp_path, case):
    text, stages, asks_dvc = CASES[case]
    asked, files = [], [tmp_path / name / repro.LOCK for name in ("dvc", "quick")]
    for file in files:
        file.parent.mkdir()
        if text is not None:
            file.write_text(text)

    @contextmanager
    def own(path, fs=None):
        asked.append(path)
        with modify_yaml(path, fs=fs) as data:
            yield data

    put(modify_yaml, files[0], stages)
    put(repro.quick(own, dumps_yaml), files[1], stages)
    assert files[1].read_bytes() == files[0].read_bytes()
    assert bool(asked) == asks_dvc


def test_the_whole_lock_file_of_the_project_needs_no_other_writer():
    import yaml

    text = (ROOT / "dvc.lock").read_text()
    assert repro.dump(yaml.CSafeLoader(text).get_single_data()) == text


def test_other_files_are_left_to_dvc(tmp_path):
    file = tmp_path / "dvc.yaml"
    file.write_text("stages: {}  # mine\n")
    with repro.quick(modify_yaml, dumps_yaml)(str(file)) as data:
        data["vars"] = []
    assert file.read_text() == "stages: {}  # mine\nvars: []\n"


def test_a_pipeline_runs_and_a_failing_stage_gives_its_exit_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dvcfile, "modify_yaml", dvcfile.modify_yaml)  # put back what main replaces
    assert cli.main(["init", "--no-scm", "--quiet"]) == 0
    text = "stages:\n  one:\n    cmd: echo 1 > one\n    outs: [one]\n  two:\n    cmd: {}\n    deps: [one]\n"
    Path("dvc.yaml").write_text(text.format("'false'"))
    assert repro.main(["--quiet"]) != 0
    Path("dvc.yaml").write_text(text.format("'true'"))
    assert repro.main(["--quiet"]) == 0
    written = Path(repro.LOCK).read_bytes()
    assert written.startswith(b"schema: '2.0'\nstages:\n  one:\n")
    assert cli.main(["repro", "--quiet", "--force"]) == 0
    assert Path(repro.LOCK).read_bytes() == written
