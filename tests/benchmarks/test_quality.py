"""The bench for ideas: what a variant changes, what its key depends on, and its line."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from benchmarks.quality import __main__ as command
from benchmarks.quality import corpora, first_lines, results, scoring, tremor
from benchmarks.quality.scoring import Scored
from benchmarks.quality.variants import BASE, FOLDER, QUICK, Budget, find
from cgdmer import stage_code
from cgdmer.commands import training_code
from cgdmer.errors import ConfigError
from cgdmer.evaluation import robustness
from cgdmer.external.external_set import ExternalSet, Labels, Origin
from cgdmer.probing import comparison, metrics
from cgdmer.settings import Simulated
from cgdmer.streams import stream
from cgdmer.streams.blocks import Block, Key, simulate_block
from cgdmer.streams.reference import draw_reference

TASKS = ("ptb_xl_super", "csn")
LABELS = np.random.default_rng(0).random((60, 2)) < 0.4


@pytest.mark.parametrize("name", [BASE, *sorted(path.stem for path in FOLDER.glob("*.yaml"))])
def test_every_variant_has_valid_settings_and_the_same_budget(name):
    config = find(name, QUICK).config(2)
    assert config.pretraining_set.simulated.records * config.train.epochs == QUICK.passes
    assert config.train.seed == find(BASE, QUICK).config(0).train.seed + 2


def test_the_key_changes_with_settings_and_budget_and_not_with_the_name(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("model: {width: 48}")
    mine, base = find(str(file), QUICK), find(BASE, QUICK)
    assert (mine.name, mine.config(0).model.width) == ("mine", 48)
    assert mine.key != base.key != find(BASE, Budget(9600, 2, 2048)).key
    file.write_text(f"model: {{width: {base.config(0).model.width}}}")
    assert find(str(file), QUICK).key == base.key


def test_the_key_changes_with_the_code_that_trains_and_scores_with_the_code_that_scores(monkeypatch):
    key = find(BASE, QUICK).key
    monkeypatch.setattr(training_code, "digest", lambda *_: "0" * 16)
    assert find(BASE, QUICK).key != key
    scores = ("encoders.encoding", "encoders.pretrained", "evaluation.disturbances", "evaluation.robustness",
              "evaluation.robustness_features", "probing.cohort", "probing.linear_probe")  # fmt: skip
    covered = training_code.files((*training_code.TRAINING, *scoring.CODE))
    paths = {path.relative_to(training_code.PACKAGE.parent).as_posix() for path in covered}
    assert not {stage_code.file_of(name) for name in stage_code.reached({f"cgdmer.{name}" for name in scores})} - paths


@pytest.mark.parametrize("option", ["--first-line", "--tremor"])
def test_other_data_with_several_processes_is_refused_before_any_work(option, monkeypatch, capsys):
    monkeypatch.setenv("CGDMER_DEVICES", "2")
    monkeypatch.setattr(corpora, "simulated", lambda *_: pytest.fail("corpora were simulated"))
    monkeypatch.setattr("sys.argv", ["quality", option])
    assert command.main() == 2
    assert "export CGDMER_DEVICES=1" in capsys.readouterr().err


def test_an_unknown_variant_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="mean_poolin") as refused:
        find("mean_poolin", QUICK)
    assert "mean_pooling" in refused.value.problem


def scored(variant, gains):
    """Return scores that follow the labels the more, the larger the gain; one gain per pretraining."""
    predictions, draw = [], np.random.default_rng(1)
    for gain in gains:
        noise = draw.normal(size=(len(LABELS), 2))
        columns = {f"score/{c}": gain * LABELS[:, k] + noise[:, k] for k, c in enumerate("ab")}
        columns |= {f"label/{c}": LABELS[:, k].astype(np.uint8) for k, c in enumerate("ab")}
        frame = pl.DataFrame({"id": [f"r{i}" for i in range(len(LABELS))], **columns})
        keys = [pl.lit("pooled").alias("representation"), pl.lit(0, pl.Int32).alias("seed")]
        each = pl.concat([frame.with_columns(pl.lit(f).alias("fraction"), *keys) for f in results.FRACTIONS])
        predictions.append(dict.fromkeys(TASKS, each))
    clean = [each["csn"].filter(fraction=1.0).drop("fraction", "representation") for each in predictions]
    return Scored(variant, predictions, [under_noise(one) for one in clean], [])


def under_noise(clean):
    """Return the clean scores, and scores that know nothing of the labels."""
    lost = clean.with_columns(pl.col("^score/.*$").shuffle(seed=3))
    named = {robustness.CLEAN: clean, "white noise 0.1 mV": lost}
    return pl.concat([frame.with_columns(pl.lit(name).alias("condition")) for name, frame in named.items()])


def change(disturbed):
    """Return the macro AUROC of the disturbed minus that of the clean records."""
    by_condition = disturbed.partition_by("condition", as_dict=True)
    lost, clean = (by_condition[name,] for name in ("white noise 0.1 mV", robustness.CLEAN))
    return comparison.macros(lost, 1)[0].mean() - comparison.macros(clean, 1)[0].mean()


def test_a_line_holds_means_over_pretrainings_and_the_difference_to_the_first(monkeypatch):
    base = scored(find(BASE, QUICK), [0.5, 0.6, 0.4])
    better = scored(find("mean_pooling", QUICK), [2.0, 2.2, 2.1])
    line = json.loads(json.dumps(results.line(better, base, None, 12.4)))
    macros = []
    for tables in better.predictions:
        frame = tables["csn"].filter(pl.col("fraction") == 0.1)
        scores = frame.select("score/a", "score/b").to_numpy()
        macros.append(metrics.macro(metrics.auroc(scores, LABELS.astype(np.uint8))))
    mean, low, high = line["simulated"]["0.1"]
    assert mean == pytest.approx(np.mean(macros), abs=1e-3)
    assert low < mean < high
    mean, low, high = line["robustness"]["white noise 0.1 mV"]
    assert mean == pytest.approx(np.mean([change(one) for one in better.disturbed]), abs=1e-6)
    assert low < mean < high < 0
    more = line["differences"]["white noise 0.1 mV"]
    assert more[0] == pytest.approx(mean - np.mean([change(one) for one in base.disturbed]), abs=2e-6)
    assert more[2] < 0, "the better a method was, the more it loses"
    assert line["minus"] == BASE
    assert line["differences"]["simulated 1.0"][1] > 0
    assert "real" not in line
    assert line["seconds"] == 12
    alone = results.line(base, base, None, 1.0)
    assert "differences" not in alone


def test_real_recordings_are_scored_and_compared_on_the_same_records():
    draw = np.random.default_rng(3)
    labels = Labels(["a", "b"], LABELS.astype(np.uint8), np.ones(len(LABELS), bool))
    patients = [f"p{k // 2}" for k in range(len(LABELS))]
    empty = np.zeros((len(LABELS), 12, 0), np.int16)
    real = ExternalSet(Origin("t", "1", "l", "x"), patients, empty, np.zeros(len(LABELS)), {results.REAL_TASK: labels})

    def features(gain):
        return [{"pooled": gain * LABELS + draw.normal(size=LABELS.shape)} for _ in range(2)]

    base = replace(scored(find(BASE, QUICK), [0.5, 0.6]), real=features(0.1))
    better = replace(scored(find("mean_pooling", QUICK), [0.5, 0.6]), real=features(2.0))
    line = json.loads(json.dumps(results.line(better, base, real, 1.0)))
    assert line["real"]["records"] == len(LABELS)
    mean, low, high = line["real"][results.REAL_TASK]
    assert mean > 0.85
    assert low < mean < high
    assert line["differences"]["real"][0] > 0.25
    alone = results.line(base, base, real, 1.0)
    assert alone["real"][results.REAL_TASK][0] < 0.65
    assert "differences" not in alone


def test_first_lines_are_all_that_pretraining_reads_of_reports(monkeypatch):
    monkeypatch.setenv("CGDMER_DEVICES", "1")
    simulated = find(BASE, QUICK).config(0).pretraining_set.simulated
    block = Block(*[np.zeros(1)] * 5, np.frombuffer(b'["sinus rhythm. borderline ecg.", "empty"]', np.uint8))
    whole = draw_reference(simulated, 50).reports
    with first_lines.read_alone():
        assert block.reports == ["sinus rhythm.", "empty."]
        short = draw_reference(simulated, 50).reports
    assert short == [f"{report.split('. ')[0].removesuffix('.')}." for report in whole] != whole
    assert draw_reference(simulated, 50).reports == whole


def test_first_lines_are_refused_where_other_processes_train(monkeypatch):
    monkeypatch.setenv("CGDMER_DEVICES", "2")
    with pytest.raises(ConfigError, match="CGDMER_DEVICES=1"), first_lines.read_alone():
        pass


def test_tremor_is_in_the_records_that_pretraining_and_the_tasks_read_and_in_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_DEVICES", "1")
    form, key = find(BASE, QUICK).config(0).signal, Key(5, 64)
    simulate_block(key, Simulated(), form, tmp_path)
    still = stream.read_block(key, tmp_path)
    with tremor.recorded(form):
        shaken, again = stream.read_block(key, tmp_path), stream.read_block(key, tmp_path)
    added = (shaken.signal.astype(np.float32) - still.signal) / 1000
    np.testing.assert_array_equal(shaken.signal, again.signal)
    power = np.square(np.abs(np.fft.rfft(added[:, :2]))).sum((0, 1))
    frequency = np.fft.rfftfreq(form.samples, 1 / form.fs)
    assert power[(frequency > 3) & (frequency < 15)].sum() > 0.95 * power.sum()
    assert 0.05 < added[:, :2].std() < tremor.TREMOR.mv
    assert shaken.reports == still.reports
    np.testing.assert_array_equal(shaken.measured, still.measured)
    np.testing.assert_array_equal(stream.read_block(key, tmp_path).signal, still.signal)

    corpus = corpora.Corpus("csn", None, pl.DataFrame(), pl.DataFrame())
    (trembling,) = tremor.of_patients([corpus], form)
    signal = still.signal[:2].astype(np.float32) / 1000
    assert np.abs(trembling.change(signal, still.valid[:2], ["a", "b"]) - signal).max() > 0.1
    np.testing.assert_array_equal(corpus.change(signal, still.valid[:2], ["a", "b"]), signal)
