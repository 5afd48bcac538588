"""What the demo must show, read from the results that `make demo` wrote and that dvc.lock names."""

import hashlib
from pathlib import Path

import pytest
import yaml

from cgdmer.files import read_json
from cgdmer.metrics_json import Metrics

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "reports"
LOCKED = [
    out
    for stage in yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"].values()
    for out in stage["outs"]
    if out["path"].startswith("reports/") and not out["md5"].endswith(".dir")
]
pytestmark = pytest.mark.skipif(
    (ROOT / "params.yaml").read_bytes() != (ROOT / "params/demo.yaml").read_bytes(),
    reason="params.yaml is not the demo's: python -m cgdmer profile demo && dvc repro",
)


def mean(cells):
    cells = list(cells)
    assert cells
    return sum(cells) / len(cells)


@pytest.fixture
def metrics():
    return read_json(REPORTS / "metrics.json")


@pytest.mark.parametrize("out", LOCKED, ids=lambda out: out["path"])
def test_results_are_those_of_the_locked_run(out):
    assert hashlib.md5((ROOT / out["path"]).read_bytes()).hexdigest() == out["md5"]


@pytest.mark.parametrize(
    "term", ["contrastive", "ecg_reconstruction", "report_reconstruction", "orthogonality", "loss"]
)
def test_every_term_falls_on_held_out_records(term):
    summary = REPORTS / "pretrain/summary.json"
    if not summary.is_file():
        pytest.skip("DVC keeps the curve of pretraining, and the demo has not been run: make demo")
    epochs = [epoch[term] for epoch in read_json(summary)["epochs"]]
    assert min(epochs) == pytest.approx(epochs[-1], rel=0.1)
    assert epochs[-1] < epochs[0]


def test_pretrained_features_beat_the_random_encoder_s(metrics):
    """Linear probes on all labels, the features that validation chose for each encoder, averaged over the tasks."""
    headline = Metrics.from_json(metrics)
    tasks = [cells["1.0"] for cells in metrics["auroc"].values()]
    ours, control = ([task[name][headline.main(name)]["mean"] for task in tasks] for name in ("cgdmer", "random"))
    assert mean(ours) - mean(control) >= 0.05


def test_zero_shot_is_well_above_chance(metrics):
    assert mean(cell["mean"] for cell in metrics["zero_shot"].values()) >= 0.65


def test_the_shared_part_predicts_report_content_better_than_the_specific_part():
    found = read_json(REPORTS / "disentanglement.json")
    assert found["content"]["shared minus specific"]["low"] > 0


def test_the_specific_part_reconstructs_better_than_the_shared_part_alone():
    found = read_json(REPORTS / "disentanglement.json")
    assert found["reconstruction"]["shared minus specific"]["low"] > 0
    assert found["reconstruction"]["both"]["mean"] < found["reconstruction"]["shared"]["mean"]
