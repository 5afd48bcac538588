"""`cgdmer check`: what a corpus lacks, where to get it, its licence, and why records were refused."""

import pytest
from support.example_task import make_index

from cgdmer import cli, datasets, paths, settings, stage_code, tables
from cgdmer.commands import check
from cgdmer.demo_corpora import ptb_xl
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import read_json, write_json

DEMO = settings.load()


@pytest.mark.parametrize("source", list(DEMO.corpora))
def test_nothing_is_here_and_it_says_where_to_get_it(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    complete, text = check.describe(source, None, DEMO)
    assert not complete
    module = datasets.module(source)
    for word in (module.URL, module.LICENCE, module.ALIASES[0], f"dvc repro acquire@{source}", "CGDMER_RAW_ROOT"):
        assert word in text
    assert text.count("missing") == 4


def test_a_local_copy_is_found_before_it_is_acquired(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(tmp_path / "raw"))
    assert "none found; put it into a folder" in check.describe("ptb_xl", None, DEMO)[1]
    for name, parts in ptb_xl.files(6, 3):
        path = tmp_path / "raw" / "ptbxl" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(parts))
    complete, text = check.describe("ptb_xl", None, DEMO)
    assert not complete
    assert f"copy found   {tmp_path / 'raw' / 'ptbxl'}" in text
    assert "put it into a folder" not in text


def test_a_copy_that_is_not_looked_for_is_not_called_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    simulated = DEMO.corpora["ptb_xl"].model_copy(update={"way": "simulate"})
    chosen = DEMO.model_copy(update={"corpora": {**DEMO.corpora, "ptb_xl": simulated}})
    assert "none found" in check.describe("ptb_xl", None, DEMO)[1]
    assert "none found" not in check.describe("ptb_xl", None, chosen)[1]


def test_refused_records_are_counted_with_their_reason(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"id": str(place), "member": "x.hea", "reason": "no signal" if place else "flat"} for place in range(3)]
    tables.write(make_index(), paths.index("cpsc2018"))
    tables.write(tables.pl.DataFrame(rows, schema=tables.QUARANTINE_COLUMNS), paths.index_quarantine("cpsc2018"))
    _, text = check.describe("cpsc2018", None, DEMO)
    assert "240 records, 3 quarantined, most often: no signal" in text


def test_unknown_names_are_explained(capsys):
    with pytest.raises(ConfigError, match="did you mean 'ptb_xl'"):
        check.describe("ptbxl", None, DEMO)
    assert cli.main(["check", "csm"]) == 2


def test_stale_artefacts_are_not_complete(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for artefact in check.STAGES:
        getattr(paths, artefact)("csn").parent.mkdir(parents=True, exist_ok=True)
        getattr(paths, artefact)("csn").touch()
    monkeypatch.setattr(check, "_state", lambda *_: "here")
    assert check.describe("csn", None, DEMO)[0]
    monkeypatch.setattr(check, "_stale", lambda _: {"shards", "validation"})
    complete, text = check.describe("csn", None, DEMO)
    assert not complete
    assert text.count("STALE") == 2
    assert text.endswith("dvc repro shards@csn")


def test_what_dvc_says_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check._stale("csn") == set()
    (tmp_path / "dvc.lock").touch()
    (tmp_path / "dvc.yaml").touch()
    said = '{"index@csn": [{"changed deps": {"data/raw/csn": "modified"}}]}'
    done = check.subprocess.CompletedProcess([], 0, said, "")
    monkeypatch.setattr(check.subprocess, "run", lambda *_, **__: done)
    assert check._stale("csn") == {"index"}
    done.stdout = "broken"
    with pytest.raises(DataError, match="dvc status"):
        check._stale("csn")


def test_an_edit_of_the_code_is_seen_before_dvc_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for stage, call in (("shards", "shards-csn"), ("validate", "validate")):
        write_json(paths.code(call), stage_code.digests(stage_code.begins(stage, "csn")))
    assert check._edited("csn") == set()
    write_json(paths.code("shards-csn"), read_json(paths.code("shards-csn")) | {"cgdmer/preprocessing.py": "before"})
    assert check._edited("csn") == {"shards"}
