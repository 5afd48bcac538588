"""`cgdmer check`: what a corpus lacks, where to get it, its licence, and why records were refused."""

import pytest
from support.example_task import make_index

from cgdmer import cli, datasets, paths, settings, tables
from cgdmer.commands import check
from cgdmer.errors import ConfigError

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
