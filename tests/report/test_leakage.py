"""Numbers on a corpus that pretraining has read carry a mark and the way to a run without it; others do not."""

from dataclasses import replace

import pytest

from cgdmer.metrics_json import Metrics
from cgdmer.report import headline, numbers, table
from cgdmer.results import Cell, Direction, RetrievalResult, ZeroShotCell


def metrics(pretrained_on):
    cell = Cell(0.8, 0.7, 0.9, 50, 1, "canonical")
    encoders = {"cgdmer": {"pooled": cell}, "handcrafted": {"pooled": cell}}
    tasks = ("ptb_xl_super", "cpsc2018")
    zero = {task: ZeroShotCell(0.8, 0.7, 0.9, 50, "canonical", "statements", "aligned") for task in tasks}
    return Metrics(auroc={task: {"1.0": encoders} for task in tasks}, zero_shot=zero, pretrained_on=pretrained_on)


@pytest.mark.parametrize("made", [lambda m: numbers.probe_table(m, "1.0"), lambda m: numbers.zero_shot_tables(m)[0]])
def test_a_seen_corpus_is_marked_at_the_methods_number_and_explained(made):
    seen = table.markdown(made(metrics(["mimic_iv_ecg", "ptb_xl"])))
    assert "0.800† (0.700 to 0.900)" in seen
    assert "training split of PTB-XL;" in seen
    assert "set pretraining_set.sources to [mimic_iv_ecg] in params.yaml, then run dvc repro" in seen
    assert seen.count("†") == 2  # one number, one note: neither the control nor CPSC2018
    assert "†" not in table.markdown(made(metrics(["mimic_iv_ecg"])))
    assert "0.800†" in table.html(made(metrics(["ptb_xl"])))


def test_without_another_corpus_one_has_to_be_named():
    assert "name another corpus with reports" in table.markdown(numbers.probe_table(metrics(["ptb_xl"]), "1.0"))


def test_the_terminal_marks_the_same_numbers():
    text = headline(metrics(["mimic_iv_ecg", "ptb_xl"]).to_json())
    assert text.count("0.800† [0.70, 0.90]") == 2
    assert text.count("† Pretraining read") == 2
    assert max(map(len, text.splitlines())) <= 110
    assert "†" not in headline(metrics(["mimic_iv_ecg"]).to_json())


def test_the_chart_of_a_seen_task_says_so():
    charts = numbers.fraction_charts(metrics(["ptb_xl"]), ["cgdmer", "handcrafted"])
    assert ["† Pretraining read" in chart.note for chart in charts] == [True, False]


def test_retrieval_says_that_its_corpora_were_read():
    way = Direction({"1": 0.5}, 2.0)
    (made,) = numbers.retrieval_tables(RetrievalResult(10, 9, 0.1, way, way, ["ptb_xl"]))
    assert "Pretraining read other patients of the same corpora." in made.caption


def test_a_published_encoder_that_saw_a_corpus_is_marked_there_and_explained():
    made = metrics(["mimic_iv_ecg"])
    for encoders in made.auroc.values():
        encoders["1.0"] = encoders["1.0"] | {"ecg_fm": {"pooled": Cell(0.85, 0.8, 0.9, 50, 1, "canonical")}}
    seen = replace(made, seen_by={"ecg_fm": ["csn", "ptb_xl"], "melp": []})
    for text in (table.markdown(numbers.probe_table(seen, "1.0")), headline(seen.to_json())):
        assert text.count("0.850‡") == 1
        assert "‡ Its training used recordings of the test patients: ECG-FM on PTB-XL." in text
        assert "0.800‡" not in text
    assert "‡" not in table.markdown(numbers.probe_table(made, "1.0"))
