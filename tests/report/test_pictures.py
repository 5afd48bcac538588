import shutil

import numpy as np
import polars as pl
import pytest

from cgdmer import paths, tables
from cgdmer.report.pictures import Filled, Pictures, agreement, gallery, runs, separation
from cgdmer.report.records import counterparts, held_out, principal, projection

pytestmark = pytest.mark.xdist_group("report")


def test_principal_axes_are_those_of_the_covariance_and_keep_their_sign():
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(200, 5)) * [5, 3, 1, 0.5, 0.1]).astype(np.float32)
    points, share = principal(features)
    values = np.sort(np.linalg.eigvalsh(np.cov(features.T.astype(np.float64))))[::-1]
    assert np.allclose(points.var(axis=0, ddof=1), values[:2], rtol=1e-4)
    assert share == pytest.approx(values[:2].sum() / values.sum(), rel=1e-4)
    assert np.allclose(principal(features[::-1])[0], points[::-1], atol=1e-6)


def test_separation_is_the_gap_in_standard_deviations():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20_000, 2))
    marked = np.arange(20_000) < 10_000
    points[marked, 0] += 3
    assert separation(points, marked) == pytest.approx(3, abs=0.05)
    assert separation(points, np.zeros(20_000, dtype=bool)) == 0.0


def test_agreement_is_one_for_the_truth_and_none_for_its_negative():
    original = np.random.default_rng(0).normal(size=(12, 100))
    hidden = np.ones((12, 4), dtype=bool)
    hidden[0] = False
    filled = original + 7.0
    filled[0] = 0.0
    item = Filled("t", original, filled, hidden, 25, 100.0, "random")
    assert agreement(item, 100) == pytest.approx(1.0)
    assert agreement(Filled("t", original, -filled, hidden, 25, 100.0, "random"), 100) == pytest.approx(-1.0)


def test_runs_cover_everything_in_order():
    flags = np.array([True, True, False, True])
    assert runs(flags) == [(0, 2, True), (2, 3, False), (3, 4, True)]
    assert runs(np.array([False])) == [(0, 1, False)]


def test_real_records_share_the_finding_and_none_comes_twice(run):
    tracings = counterparts(["Atrial fibrillation", "Atrial flutter", "Left bundle branch block", "Normal"], ["ptb_xl"])
    assert len({tracing.title for tracing in tracings}) == 4
    assert "AFIB" in tracings[0].title
    assert "AFLT" in tracings[1].title
    assert "NORM" in tracings[3].title
    assert tracings[0].microvolt.shape == (12, 1000)


def test_a_corpus_without_labels_has_records_to_show(run, tmp_path, monkeypatch):
    shutil.copytree(run / "data/shards", tmp_path / "data/shards")
    monkeypatch.chdir(tmp_path)
    frame = pl.read_parquet(run / "data/index/ptb_xl.parquet")
    tables.write(frame.select(name for name in frame.columns if "/" not in name), paths.index("ptb_xl"))
    assert [tracing.title for tracing in counterparts(["Atrial fibrillation"], ["ptb_xl"])] == ["PTB-XL record 000"]


def test_only_test_records_are_filled_in_or_projected(run):
    index = pl.read_parquet("data/index/ptb_xl.parquet")
    test = set(index.filter(split="test")["id"])
    _, rows = held_out("ptb_xl", 3)
    assert set(rows["id"]) <= test
    drawn = projection("cgdmer", "ptb_xl", "ptb_xl_super", ("shared", "specific"))
    assert {len(points) for points in drawn.points.values()} == {len(test)}
    assert drawn.marked.sum() == index.filter(split="test")[f"ptb_xl_super/{drawn.name}"].sum()


def test_an_encoder_without_both_parts_has_no_projection(run):
    assert projection("handcrafted", "ptb_xl", "ptb_xl_super", ("shared", "specific")) is None


def test_without_real_records_the_gallery_says_so():
    assert "no real record" in gallery(Pictures())
