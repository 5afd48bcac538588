"""The encoders' origins: licence, training data and what they have seen of a benchmark, on every part of the page."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.example_report import MATRIX, OUTSIDE, SOURCE

from cgdmer import paths, settings
from cgdmer.embeddings import Origin
from cgdmer.encoders import cgdmer_base, published
from cgdmer.metrics_json import Metrics
from cgdmer.report import corpora, encoders, table
from cgdmer.report.encoders import NOT_SEEN, RECORDS, SEEN, TRAINING_SPLIT, UNKNOWN, UNTRAINED, Seen
from cgdmer.report.gather import gather
from cgdmer.report.table import stacked
from cgdmer.tracking import children

pytestmark = pytest.mark.xdist_group("report")


def origin(*corpora):
    return Origin("Title", "Author 2024", "https://example.org", "https://example.org/code", "MIT", list(corpora))


SEEING = Seen(
    {"saw": origin("ptb_xl", "csn"), "did_not": origin("mimic_iv_ecg"), "silent": origin()}, ["mimic_iv_ecg"], 2690
)


@pytest.mark.parametrize(
    ("encoder", "source", "answer"),
    [("saw", "ptb_xl", SEEN), ("saw", "cpsc2018", NOT_SEEN), ("did_not", "csn", NOT_SEEN), ("silent", "csn", UNKNOWN),
     ("without_card", "csn", UNKNOWN), ("random", "csn", UNTRAINED), ("handcrafted", "ptb_xl", UNTRAINED),
     ("cgdmer", "ptb_xl", NOT_SEEN), ("cgdmer", "mimic_iv_ecg", TRAINING_SPLIT)],
)  # fmt: skip
def test_what_an_encoder_has_seen_follows_from_its_card(encoder, source, answer):
    assert SEEING.of(encoder, source) == answer


def test_the_table_has_licence_training_data_and_a_column_per_benchmark():
    made = encoders.encoders_table(["saw", "cgdmer", "random", "without_card"], ["ptb_xl", "csn"], SEEING)
    assert list(made.head) == ["Encoder", "Published as", "Licence", "Trained on", "Records", "PTB-XL", "CSN"]
    rows = {row[0]: list(row[1:]) for row in made.rows}
    assert rows["saw"] == ["Author 2024", "MIT", "PTB-XL, CSN", UNKNOWN, SEEN, SEEN]
    assert rows["without_card"] == [UNKNOWN] * 6
    assert rows["CG-DMER"] == ["this package", "MIT", "MIMIC-IV-ECG", stacked("2,690", "this run"), NOT_SEEN, NOT_SEEN]
    assert rows["Random transformer"][2:] == ["nothing", "0", UNTRAINED, UNTRAINED]


@pytest.mark.parametrize("name", published.names())
def test_every_published_encoder_says_what_it_was_trained_on(name):
    card = published.card(name)
    assert card.trained_on
    assert card.licence
    assert card.paper.citation
    seen = Seen({name: card.origin()}, [])
    for source in ("ptb_xl", "cpsc2018", "csn"):
        assert (seen.of(name, source) == SEEN) == (source in card.origin().trained_on)


@pytest.mark.parametrize("name", published.names())
def test_every_published_encoder_has_its_number_of_records_with_a_source(name):
    counts = [corpus.records for corpus in published.card(name).trained_on]
    assert RECORDS[name].source
    if None not in counts:
        assert RECORDS[name].number == f"{sum(counts):,}"
    else:
        assert RECORDS[name].number == UNKNOWN or RECORDS[name].number.startswith(("about ", "at most "))


def test_ecg_fm_has_seen_the_benchmark_and_says_so(run):
    findings = gather(MATRIX)
    assert findings.seen.pretraining == [SOURCE]
    assert findings.seen.of(OUTSIDE, SOURCE) == SEEN
    made = encoders.table_of(findings.probes, findings.seen)
    assert [row[-1] for row in made.rows if row[0] == "ECG-FM"] == [SEEN]
    [line] = [line for line in table.grid(made).splitlines() if line.startswith("| ECG-FM")]
    assert "MIT" in line
    assert "888,288" in line
    assert [row[4] for row in made.rows if row[0] == "CG-DMER"] == [stacked("72", "this run")]
    assert line in paths.REPORT_MD.read_text()
    assert 'id="encoders"' in paths.REPORT_HTML.read_text()


PLACES = {
    "results": "a row of the main table",
    "encoders": "its licence and training data",
    "differences": "the paired difference",
    "fractions": "a line of the few-label charts",
    "classes": "a tick of the per-class bars",
    "fewer-leads": "a line of the lead-set charts",
    "disturbance": "a table of disturbances",
}


@pytest.mark.parametrize("place", PLACES, ids=PLACES.values())
def test_a_published_encoder_is_in_every_section(run, place):
    page = paths.REPORT_HTML.read_text()
    begin = page.index(f'id="{place}"')
    end = page.find("<section", begin)
    assert "ECG-FM" in page[begin:end], place


def test_what_is_not_reproduced_names_the_encoders_of_others(run):
    findings = gather(MATRIX)
    assert "Papers of other groups: ECG-FM were run here" in " ".join(corpora.missing(findings))
    none = replace(findings, origins={})
    assert "none was run here" in " ".join(corpora.missing(none))


def test_a_published_encoder_is_in_the_numbers_and_the_text(run):
    numbers = json.loads(paths.METRICS.read_text())
    assert set(numbers["auroc"]["ptb_xl_super"]["1.0"][OUTSIDE]) == {"pooled"}
    assert OUTSIDE in numbers["conditions"]["ptb_xl_super"]
    assert numbers["seen_by"] == {OUTSIDE: ["cpsc2018", "csn", "ptb_xl"]}
    assert "‡ Its training used recordings of the test patients: ECG-FM on PTB-XL." in paths.REPORT_MD.read_text()
    text = paths.REPORT_MD.read_text()
    for heading in ("Linear probes, 100% of the labels", "Encoders", "Differences", "Fewer leads and disturbances"):
        part = text.split(f"## {heading}\n")[1].split("\n## ")[0]
        assert "ECG-FM" in part, heading


def test_a_published_encoder_has_its_run_in_mlflow(run, monkeypatch):
    logged: dict = {}
    monkeypatch.setattr(children, "begin", lambda client, parent, name, kind: name)
    for function in ("log_params", "log_numbers"):
        monkeypatch.setattr(children, function, lambda client, run, values: logged.setdefault(run, {}).update(values))
    numbers = Metrics.from_json(json.loads(paths.METRICS.read_text()))
    children.probes(SimpleNamespace(set_terminated=lambda run: None), "parent", numbers)
    own = logged[f"probe {OUTSIDE} pooled"]
    assert own["encoder"] == OUTSIDE
    assert own["auroc/ptb_xl_super/1.0"] == numbers.auroc["ptb_xl_super"]["1.0"][OUTSIDE]["pooled"].mean


def test_the_number_of_records_of_the_shipped_encoder_is_the_one_in_its_config():
    facts = json.loads((cgdmer_base.FOLDER / "config.json").read_text())["facts"]
    assert RECORDS["cgdmer_base"].number == f"{facts['records']:,}"
    train = settings.read(Path(__file__).resolve().parents[2] / "params/encoder.yaml")
    passes = train["pretraining_set"]["simulated"]["records"] * train["train"]["epochs"]
    assert RECORDS["cgdmer_base"].source.startswith(f"{passes:,} passes")
