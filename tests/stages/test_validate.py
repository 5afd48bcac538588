import subprocess
import sys

import polars as pl
import pytest
from support.example_source import Example

from cgdmer import paths, stages
from cgdmer.commands import check
from cgdmer.errors import ValidationFailed
from cgdmer.files import read_json
from cgdmer.settings import Signal, Validation

SETTINGS = {"validation": Validation(), "signal": Signal()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sound_source_leaves_result_and_page(folder):
    Example().write()
    stages.find("validate")("ptb_xl", **SETTINGS)
    assert read_json(paths.validation("ptb_xl") / "result.json")["success"]
    assert (paths.validation("ptb_xl") / "index.html").read_text().startswith("<!DOCTYPE html>")


def test_a_critical_failure_stops_but_leaves_what_shows_it(folder):
    example = Example()
    example.rows = example.rows.with_columns(amplitude_uv=pl.lit(30_000, pl.Int32))
    example.write()
    with pytest.raises(ValidationFailed, match="amplitude_possible: 60 rows"):
        stages.find("validate")("ptb_xl", **SETTINGS)
    result = read_json(paths.validation("ptb_xl") / "result.json")
    assert result["critical_failed"] == ["amplitude_possible"]
    assert "30000" in str(check._failed("ptb_xl", "amplitude_possible")[1])


def test_data_docs_are_written_where_asked(folder, monkeypatch):
    monkeypatch.setenv("CGDMER_DATA_DOCS", str(folder / "docs"))
    (folder / "docs").mkdir()
    Example().write()
    stages.find("validate")("ptb_xl", **SETTINGS)
    assert (folder / "docs" / "index.html").is_file()


def test_warnings_are_logged_and_great_expectations_is_quiet(folder, caplog, capfd):
    example = Example()
    example.rows = example.rows.with_columns(bridged=pl.lit(3, pl.Int32))
    example.write()
    with caplog.at_level("INFO"):
        stages.find("validate")("ptb_xl", **SETTINGS)
    names = {record.name.split(".")[0] for record in caplog.records}
    assert names == {"cgdmer"}
    assert "gaps_bridged: 60 rows" in caplog.text
    assert "Calculating" not in capfd.readouterr().err


def test_great_expectations_is_quiet_while_it_is_imported():
    program = (
        "import logging, warnings; logging.basicConfig(level='INFO'); logging.captureWarnings(True)\n"
        "warnings.simplefilter('default')\n"
        "from cgdmer.validation.run import Engine\n"
        "with Engine(): logging.info('entered')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "INFO:root:entered\n"
