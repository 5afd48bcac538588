"""Macro AUROC over frequent classes is the mean of scikit-learn's AUROC over them; it stands beside the full one."""

import shutil

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score
from support.example_report import MATRIX

from cgdmer import paths, settings, stages
from cgdmer.report import frequent_classes
from cgdmer.report.frequent_classes import restricted

pytestmark = pytest.mark.xdist_group("report")

RECORDS = 200
POSITIVES = {"COMMON": 80, "TEN": 10, "NINE": 9, "ALL": RECORDS, "NONE": 0}


@pytest.fixture
def predictions():
    """Return two seeds' scores; the records of the second are in another order."""
    rng = np.random.default_rng(0)
    ids = [f"r{n:03d}" for n in range(RECORDS)]
    labels = {name: np.isin(np.arange(RECORDS), rng.permutation(RECORDS)[:n]) for name, n in POSITIVES.items()}
    seeds = []
    for seed in (0, 1):
        scores = {f"score/{name}": (rng.normal(size=RECORDS) + 0.5 * label) for name, label in labels.items()}
        frame = pl.DataFrame({"id": ids, "seed": [seed] * RECORDS} | scores)
        frame = frame.with_columns(
            **{f"label/{name}": pl.Series(label.astype(np.uint8)) for name, label in labels.items()}
        )
        seeds.append(frame.sample(fraction=1, shuffle=True, seed=seed))
    return pl.concat(seeds)


def expected(predictions, names):
    seeds = predictions.partition_by("seed")
    return np.mean([[roc_auc_score(s[f"label/{n}"], s[f"score/{n}"]) for n in names] for s in seeds])


def test_the_restricted_score_is_the_mean_over_classes_with_enough_positives(predictions):
    score = restricted(predictions, 10, 0.7)
    assert score.frequent.mean == pytest.approx(expected(predictions, ["COMMON", "TEN"]))
    assert score.every == 0.7
    assert (score.classes, score.left_out) == (2, ["NINE"])
    assert score.frequent.low < score.frequent.mean < score.frequent.high


@pytest.mark.parametrize(("least", "classes"), [(2, 3), (9, 3), (10, 2), (11, 1), (80, 1)])
def test_the_limit_counts_test_positives(predictions, least, classes):
    assert restricted(predictions, least, 0.7).classes == classes


def test_no_class_has_enough(predictions):
    assert restricted(predictions, 81, 0.7) is None


def test_sets_of_weights_are_averaged(predictions):
    both = pl.concat([predictions.with_columns(weights=pl.lit(k)) for k in (0, 1)])
    assert restricted(both, 10, 0.7).frequent.mean == pytest.approx(restricted(predictions, 10, 0.7).frequent.mean)


def test_the_page_has_the_section_only_if_asked(run, tmp_path, monkeypatch):
    assert 'id="frequent"' not in paths.REPORT_HTML.read_text()
    assert 'id="efficiency"' not in paths.REPORT_HTML.read_text()
    shutil.copytree(run, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    asked = settings.Report(min_positives=10, label_efficiency="random")
    stages.find("report")(report=asked, matrix=MATRIX)
    page, text = paths.REPORT_HTML.read_text(), paths.REPORT_MD.read_text()
    for name, title in (("frequent", frequent_classes.TITLE), ("efficiency", "Label efficiency")):
        assert f'id="{name}"' in page
        assert f'href="#{name}"' in page
        part = text.split(f"## {title}\n")[1].split("\n## ")[0]
        assert "CG-DMER" in part
        assert "ECG-FM" in part
