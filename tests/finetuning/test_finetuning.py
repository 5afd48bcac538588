"""Fine-tuning and training from scratch: they learn, repeat, select on validation, and keep to the probe's subsets."""

import contextlib
import json

import numpy as np
import polars as pl
import pytest
import torch
from support import example_pool as example
from support.edited_code import edit

from cgdmer import paths, settings, tables
from cgdmer.files import read_json
from cgdmer.finetuning import runs, training
from cgdmer.finetuning.classifier import Classifier, load_backbone
from cgdmer.models import weights
from cgdmer.probing import metrics, subsets
from cgdmer.shards import open_shards
from cgdmer.stages import finetune as stage

pytestmark = pytest.mark.xdist_group("finetuning")

SOURCE, RECORDS = "cpsc2018", 144
CLASSES = ("AFIB", "VPC", "NORM")
MODEL = example.MODEL.model_copy(update={"patch": 40})
"""Half as many tokens."""
SETTINGS = settings.Finetune(
    enabled=True, fractions=[0.3, 1.0], seeds=2, epochs=4, batch=24, min_updates=6, lr=3e-3, layer_decay=1.0,
    scratch_lr=3e-3, bootstrap=20,
)  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Shards whose waves show the labels (rate, shape, place), an index with a test split, an untrained model."""
    folder = tmp_path_factory.mktemp("labelled")
    example.write(folder, SOURCE, RECORDS)
    _, reports, findings = example.signals(RECORDS)
    with contextlib.chdir(folder):
        ids = open_shards(paths.shards(SOURCE)).columns("id")["id"].to_list()
        text = {name: ["x"] * RECORDS for name in ("patient", "member", "report", "sex")}
        columns = {"id": ids, **text, "leads": [["I"]] * RECORDS, "fs": [500.0] * RECORDS, "samples": [5000] * RECORDS}
        columns |= {"age": [60.0] * RECORDS}
        columns |= {"split": [("train", "train", "val", "test")[n % 4] for n in range(RECORDS)]}
        labels = {f"{SOURCE}/{name}": findings[:, k] == 1 for k, name in enumerate(CLASSES)}
        frame = pl.DataFrame(columns | labels, schema_overrides=tables.INDEX_COLUMNS)
        tables.write(frame.with_columns(pl.col("^cpsc2018/.*$").cast(pl.UInt8)), paths.index(SOURCE))
        model = weights.create(MODEL, settings.Masking(), settings.Objective(), example.SIGNAL, reports, seed=5)
        weights.save(paths.MODEL, model, example.SIGNAL, {})
    return folder


@pytest.fixture(scope="module")
def result(project):
    with contextlib.chdir(project):
        stage.finetune(SOURCE, finetune=SETTINGS)
        return read_json(paths.finetuning(SOURCE))


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)


def test_both_starts_learn_more_than_chance(result):
    assert (result["protocol"], result["enabled"], result["task"]) == ("full fine-tuning", True, SOURCE)
    for start in ("fine-tuned", "from scratch"):
        full = result["results"]["1.0"][start]
        assert full["mean"] > 0.65, start
        assert (full["n_test"], full["n_train"], full["seeds"], full["distinct_subsets"]) == (36, 72, [0, 1], 1)
    assert result["results"]["1.0"]["fine-tuned"] != result["results"]["1.0"]["from scratch"]


def test_the_epoch_kept_is_the_best_on_validation_and_numbers_follow_from_predictions(result, project):
    predictions = pl.read_parquet(project / paths.predictions("finetune", SOURCE))
    for fraction, starts in result["results"].items():
        for start, figures in starts.items():
            assert all(1 <= epoch <= SETTINGS.epochs for epoch in figures["epoch"])
            rows = predictions.filter(fraction=float(fraction), representation=start).partition_by("seed")
            recomputed = [
                metrics.macro(metrics.auroc(*(p.select(pl.col(f"^{k}/.*$")).to_numpy() for k in ("score", "label"))))
                for p in rows
            ]
            assert figures["by_seed"] == pytest.approx(recomputed, abs=1e-6)
    json.dumps(result, allow_nan=False)


def test_a_second_run_repeats_to_the_byte_and_leaves_no_work_behind(result, here):
    one = SETTINGS.model_copy(update={"fractions": [0.3], "seeds": 1, "epochs": 2})
    files = paths.finetuning(SOURCE), paths.predictions("finetune", SOURCE)
    before = [file.read_bytes() for file in files]
    written = []
    for _ in range(2):
        stage.finetune(SOURCE, finetune=one)
        written.append([file.read_bytes() for file in files])
    for file, content in zip(files, before, strict=True):
        file.write_bytes(content)
    assert written[0] == written[1]
    assert not paths.scratch("finetune", SOURCE).exists()


def test_a_killed_stage_goes_on_with_the_runs_it_had(here, tmp_path):
    calls = []

    def run():
        calls.append(1)
        return np.zeros((2, 1), np.float32), np.ones((3, 1), np.float32), {"epoch": 1, "validation": 0.5}

    first, again = runs.load_or_run(tmp_path / "x", run), runs.load_or_run(tmp_path / "x", run)
    assert calls == [1]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    ("file", "again"),
    [("cgdmer/finetuning/training.py", True), ("cgdmer/models/ecg.py", True), ("cgdmer/files.py", False)],
)
def test_runs_of_earlier_code_are_not_reused(here, monkeypatch, file, again):
    one = SETTINGS.model_copy(update={"fractions": [0.3], "seeds": 1, "epochs": 1})
    calls = []

    def die_in_the_second(cohort, signals, rows, *_):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        val, test = (np.zeros((len(split.ids), len(CLASSES)), np.float32) for split in (cohort.val, cohort.test))
        return val, test, {"epoch": 1, "validation": 0.5}

    monkeypatch.setattr(runs, "run_once", die_in_the_second)
    monkeypatch.setattr(stage, "write_json", lambda *_: None)
    monkeypatch.setattr(tables, "write", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        stage.finetune(SOURCE, finetune=one)
    edit(monkeypatch, file)
    stage.finetune(SOURCE, finetune=one)
    assert len(calls) == 2 + 1 + again


class Watched(training.Signals):
    """Remembers the rows that were read."""

    def __init__(self, shards):
        super().__init__(shards, torch.device("cpu"))
        self.rows = []

    def __call__(self, rows):
        self.rows.append(set(rows.tolist()))
        return super().__call__(rows)


def labelled(joined, rows, count=20):
    return training.Labelled(joined.train.rows[rows][:count], joined.train.labels[rows][:count])


@pytest.fixture
def joined(here):
    ids = open_shards(paths.shards(SOURCE)).columns("id")["id"].to_list()
    return stage.cohort(SOURCE, tables.read(paths.index(SOURCE)), ids)


def test_only_the_subset_is_trained_on_and_test_is_read_once_at_the_end(joined):
    read, rows = Watched(open_shards(paths.shards(SOURCE))), subsets.nested(joined.train.ids, 0.3, 1)
    runs.run_once(joined, read, rows, "from scratch", SETTINGS, seed=1)
    subset, val, test = (set(r.tolist()) for r in (joined.train.rows[rows], joined.val.rows, joined.test.rows))
    assert set().union(*read.rows) == subset | val | test
    assert [bool(seen & test) for seen in read.rows].count(True) == 1
    assert read.rows[-1] == test


def test_the_weights_of_the_best_epoch_come_back_and_patience_stops(joined):
    read, rows = Watched(open_shards(paths.shards(SOURCE))), np.arange(30)
    network, _ = load_backbone(paths.MODEL, pretrained=True, seed=0)
    classifier = Classifier(network, len(CLASSES))
    script, seen = [0.5, 0.9, 0.6, 0.7, 0.8], []

    def score(logits):
        seen.append(logits)
        return script[len(seen) - 1]

    patient = SETTINGS.model_copy(update={"epochs": 5, "patience": 2})
    fitted = training.fit(
        classifier, read, labelled(joined, rows), joined.val.rows, score, patient, peak=1e-3, decay=0.5, seed=0
    )
    assert (fitted.epoch, fitted.scores) == (2, script[:4])
    np.testing.assert_array_equal(training.predict(classifier, read, joined.val.rows), seen[1])


def test_without_a_scorable_validation_class_the_last_epoch_counts(joined):
    read, rows = Watched(open_shards(paths.shards(SOURCE))), np.arange(20)
    network, _ = load_backbone(paths.MODEL, pretrained=True, seed=0)
    few = SETTINGS.model_copy(update={"epochs": 2, "patience": 1})
    fitted = training.fit(
        Classifier(network, 3), read, labelled(joined, rows), joined.val.rows, lambda _: float("nan"), few, peak=1e-3,
        decay=1.0, seed=0,
    )  # fmt: skip
    assert fitted.epoch == 2


def test_an_untrained_class_is_scored_alike_for_every_record(joined):
    joined.train.labels[:, 1] = 0
    one = SETTINGS.model_copy(update={"epochs": 1})
    read = Watched(open_shards(paths.shards(SOURCE)))
    _, test, _ = runs.run_once(joined, read, np.arange(24), "from scratch", one, 0)
    assert np.ptp(test[:, 1]) == 0 < np.ptp(test[:, 0])


def test_pretrained_backbones_carry_the_weights_and_fresh_ones_the_seed(here):
    whole, _, _ = weights.load(paths.MODEL)
    tuned, _ = load_backbone(paths.MODEL, pretrained=True, seed=1)
    for name, value in tuned.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name
    one, other, same = (load_backbone(paths.MODEL, pretrained=False, seed=seed)[0].state_dict() for seed in (1, 2, 1))
    assert set(one) == set(tuned.state_dict())
    assert not torch.equal(one["ecg_encoder.patch_embed.weight"], other["ecg_encoder.patch_embed.weight"])
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(name.startswith(("report_encoder", "ecg_decoder", "disentangler.projection")) for name in one)


def test_features_of_the_classifier_are_those_of_the_encoder(here):
    from cgdmer.encoders.pretrained import open_folder

    read = Watched(open_shards(paths.shards(SOURCE)))
    rows = np.arange(8)  # one of them is half padding
    classifier = Classifier(load_backbone(paths.MODEL, pretrained=True, seed=0)[0], 64).eval()
    with torch.no_grad():
        classifier.head.weight.copy_(torch.eye(64))
        features = classifier(*read(rows)).numpy()
    signal = read.shards.gather(rows).astype(np.float32) / 1000
    np.testing.assert_allclose(
        features, open_folder(paths.MODEL).encode(signal, valid=read.valid[rows])["pooled"], atol=1e-5
    )


def test_a_model_with_the_options_of_the_demo_can_be_fine_tuned(tmp_path):
    signal, reports, _ = example.signals(4)
    options = example.MODEL.model_copy(update={"leads": "independent", "pooling": "statistics"})
    model = weights.create(options, settings.Masking(), settings.Objective(), example.SIGNAL, reports, seed=5)
    weights.save(tmp_path / "model", model, example.SIGNAL, {})
    classifier = Classifier(load_backbone(tmp_path / "model", pretrained=True, seed=0)[0], 3)
    torch.nn.init.normal_(classifier.head.weight)
    valid, missing = torch.full((4,), signal.shape[2]), torch.zeros(4, 12, dtype=torch.bool)
    classifier(torch.from_numpy(signal), valid, missing).square().sum().backward()
    still = [name for name, parameter in classifier.named_parameters() if parameter.grad is None]
    assert still == []
    assert classifier.backbone.ecg_encoder.patch_embed.weight.grad.abs().sum() > 0


def test_layers_learn_slower_the_further_they_are_from_the_head(here):
    classifier = Classifier(load_backbone(paths.MODEL, pretrained=True, seed=0)[0], 3)
    depths = {
        name.removeprefix("backbone."): classifier.layers_above(name) for name, _ in classifier.named_parameters()
    }
    assert depths["head.weight"] == 0
    assert depths["disentangler.shared.blocks.0.qkv.weight"] == depths["disentangler.ecg_specific.norm.weight"] == 1
    assert [depths[f"ecg_encoder.transformer.blocks.{n}.qkv.weight"] for n in (1, 0)] == [2, 3]
    assert depths["ecg_encoder.patch_embed.weight"] == depths["ecg_encoder.position_embed.lead.weight"] == 4
    optimiser, scales = training.layerwise_adamw(classifier, SETTINGS, decay=0.5)
    assert sorted(set(scales)) == [0.0625, 0.125, 0.25, 0.5, 1.0]
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(depths)


def test_few_labels_get_several_passes_an_epoch():
    chosen = settings.Finetune(batch=10, min_updates=20)
    assert training.plan(25, chosen) == (7, 21)
    assert training.plan(1000, chosen) == (1, 100)
    batches = list(training.order(25, 2, 10, (0, 0)))
    assert sorted(np.concatenate(batches).tolist()) == sorted([*range(25), *range(25)])
    assert {len(batch) for batch in batches} == {8, 9}
