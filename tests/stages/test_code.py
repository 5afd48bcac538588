"""Stage code: a file per stage call, with the digests of what it runs; files of calls that are gone are removed."""

import pytest
from support.edited_code import edit

from cgdmer import paths, settings, stage_code, stages
from cgdmer.errors import ConfigError
from cgdmer.files import read_json, write_json

MATRIX = settings.Matrix(
    sources=["csn"], benchmarks=["csn"], encoders=["cgdmer"], controls=["handcrafted"], probed=["cgdmer"]
)


def test_every_call_has_a_file_and_no_other_call_has_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(paths.code("embed-gone"), {})
    stages.find("code")(matrix=MATRIX)
    written = {path.stem for path in paths.CODE.iterdir()}
    assert written >= {"acquire-csn", "embed-cgdmer", "embed-handcrafted", "probe", "report"}
    assert not written & {"code", "embed-gone", "acquire-ptb_xl"}
    content = read_json(paths.code("probe"))
    assert content == stage_code.digests(stage_code.begins("probe"))
    assert "cgdmer/stages/probe.py" in content


def test_an_edit_changes_the_files_of_the_stages_that_run_it_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stages.find("code")(matrix=MATRIX)
    before = {path.stem: path.read_bytes() for path in paths.CODE.iterdir()}
    edit(monkeypatch, "cgdmer/evaluation/retrieval.py")
    stages.find("code")(matrix=MATRIX)
    assert {name for name, content in before.items() if paths.code(name).read_bytes() != content} == {"retrieval"}


@pytest.mark.parametrize("item", ["encoders", "controls", "robustness"])
def test_an_encoder_that_does_not_exist_is_named_before_anything_runs(item, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no encoder is called 'handcraftd'; did you mean 'handcrafted'"):
        stages.find("code")(matrix=MATRIX.model_copy(update={item: ["handcraftd"]}))
    assert not paths.CODE.exists()
