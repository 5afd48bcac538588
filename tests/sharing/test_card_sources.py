"""The sources of the simulator on a model card: licences, what was taken, and sets of recordings without report."""

import json
from pathlib import Path

import pytest

from cgdmer import datasets
from cgdmer.external import code15, ludb
from cgdmer.sharing import card_sources
from cgdmer.sharing.card_sources import CLINICAL, PREVALENCE, SOURCES

BASE = Path(card_sources.__file__).parents[1] / "base"


def test_clinical_patients_name_every_source_with_its_licence_and_what_was_taken():
    text = card_sources.text({"simulated": {"population": "mixed"}, "recordings": []})
    for name in CLINICAL.keys() | PREVALENCE.keys():
        (line,) = [line for line in text.splitlines() if f"({SOURCES[name].link})" in line]
        assert f"| {SOURCES[name].licence} |" in line
        assert CLINICAL[name] in line
        assert PREVALENCE.get(name, "") in line
    assert text.endswith("Pretraining read no recordings without report.")


@pytest.mark.parametrize("facts", [{}, {"simulated": {"population": "textbook"}}])
def test_textbook_patients_name_the_counts_of_findings_alone(facts):
    text = card_sources.text(facts)
    assert "LUDB" not in text
    assert "median" not in text
    assert text.count("counts of findings") == len(PREVALENCE)


def test_recordings_without_report_are_listed_and_an_unknown_licence_is_asked_for():
    text = card_sources.text({"recordings": ["code15", "ward7"]})
    assert f"- code15: CC BY 4.0, {SOURCES['code15'].link}" in text
    assert "- ward7: its licence is not known" in text
    assert "read no recordings" not in text


def test_licences_are_those_that_the_readers_of_the_sets_state():
    short = {"Open Data Commons Open Database License 1.0": "ODbL 1.0"}
    for name in ("ptb_xl", "mimic_iv_ecg", "csn", "cpsc2018"):
        stated = datasets.module(name).LICENCE
        assert SOURCES[name].licence == short.get(stated, stated), name
    for name, origin in (("code15", code15.ORIGIN), ("ludb", ludb.ORIGIN)):
        assert (SOURCES[name].licence, SOURCES[name].link) == (origin.licence, origin.link)


def test_the_shipped_card_holds_what_its_facts_give():
    facts = json.loads((BASE / "config.json").read_text())["facts"]
    assert card_sources.text(facts) in (BASE / "README.md").read_text()
