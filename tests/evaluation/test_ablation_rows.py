"""Rows of the ablation study from the real probe stage: values by pretraining, intervals, differences, controls."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from support.example_task import make_features, make_index

from cgdmer import embeddings, paths, settings, tables
from cgdmer.ablation_results import HEADLINE, MEAN
from cgdmer.errors import DataError
from cgdmer.evaluation import ablation_rows, ablations, zero_shot
from cgdmer.files import read_json, write_json, write_text
from cgdmer.probing import seeds
from cgdmer.probing.cohort import cohort
from cgdmer.stages.probe import probe

pytestmark = pytest.mark.xdist_group("ablation_rows")

ROOT = Path(__file__).resolve().parents[2]
PROBE = settings.Probe(fractions=[0.1, 1.0], seeds=2, C=[0.01, 1.0], bootstrap=20)
PARAMS = """
matrix: {sources: [cpsc2018], benchmarks: [cpsc2018], encoders: [cgdmer], controls: [], probed: [cgdmer, handcrafted]}
corpora: {cpsc2018: {}}
pretraining_set: {sources: [cpsc2018]}
train: {seed: 7}
ablations: {seeds: 2}
"""


def probed(encoder, noise, *, representations=("pooled", "shared")):
    """Run the probe stage below the working directory, on features that are partly noise; `shared` has less of it."""
    index = make_index()
    tables.write(index, paths.index("cpsc2018"))
    write_json(paths.index_facts("cpsc2018"), {"split": {"kind": "hash"}})
    features = {name: make_features(index) + part * noise.normal(size=make_features(index).shape).astype(np.float32)
                for name, part in zip(representations, (1.5, 0.2), strict=False)}  # fmt: skip
    embeddings.write(paths.embeddings(encoder, "cpsc2018"), index["id"].to_list(), features, {})
    probe(encoder, "cpsc2018", probe=PROBE)
    return index, features


def finished(seed, losses):
    """Leave what the stages leave of one run below the working directory."""
    rng = np.random.default_rng(seed)
    index, features = probed("cgdmer", rng)
    joined = cohort("cpsc2018", index, index["id"].to_list())
    vectors = rng.normal(size=(len(joined.classes), features["shared"].shape[1]))
    scores = zero_shot.cosines(joined, features["shared"], vectors)
    prompts = zero_shot.Prompts({name: [name] for name in joined.classes}, {"name": "p"})
    tables.write(zero_shot.predictions(joined, scores), paths.zero_shot_predictions("cpsc2018"))
    write_json(paths.zero_shot("cpsc2018"), zero_shot.evaluate(joined, scores, prompts, 20))
    summary = {"last": {"loss": losses}, "epochs": [{"epoch": 1, "loss": 9.0}, {"epoch": 2, "loss": losses}]}
    write_json(paths.CURVE.with_name("summary.json"), summary)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A project with two runs of the full method and of an ablation, and a control."""
    folder = tmp_path_factory.mktemp("study")
    with chdir(folder):
        write_text(Path("params/no_eyes.yaml"), "# Ablation: sees nothing.\nobjective: {orthogonality: 0.0}\n")
        write_text(Path("params.yaml"), PARAMS)
        shutil.copy(ROOT / "dvc.yaml", folder)
        write_json(paths.shards("cpsc2018") / "manifest.json", {"digest": "d"})
        probed("handcrafted", np.random.default_rng(99), representations=("pooled",))
        now = ablations.state()
        for name, first in (("full", 0), ("no_eyes", 10)):
            for seed in ablations.seeds():
                run = ablations.scores(name, seed)
                run.mkdir(parents=True)
                with chdir(run):
                    finished(first + seed, losses=float(seed))
                write_json(ablations.seed_file(name, seed), ablation_rows.seed_result(name, seed, now, run).to_json())
        for row in ablation_rows.rows(["no_eyes"], now):
            write_json(ablations.file(row.profile), row.to_json())
    return folder


@pytest.fixture
def rows(study, monkeypatch):
    monkeypatch.chdir(study)
    return ablations.read()


def test_a_value_is_the_mean_of_its_pretrainings_and_they_stand_beside_it(rows):
    assert list(rows) == ["full", "no_eyes"]
    for name, row in rows.items():
        assert row.pretraining_seeds == [8, 9]
        for fraction in ("0.1", "1.0"):
            for kind in ("pooled", "shared"):
                cell = row.auroc["cpsc2018"][fraction][kind]
                stored = [read_json(ablations.seed_file(name, seed))["auroc"]["cpsc2018"][fraction][kind]
                          for seed in (8, 9)]  # fmt: skip
                assert cell.by_weights == pytest.approx(stored, abs=2e-6)
                assert cell.mean == pytest.approx(np.mean(stored), abs=2e-6)
                assert cell.low < cell.mean < cell.high
        assert row.pretraining["held_out"]["loss"] == 8.5
        assert not row.stale


def test_the_representation_is_chosen_on_validation(rows):
    validation = rows["full"].validation["cpsc2018"]["1.0"]
    assert validation["shared"] > validation["pooled"]
    assert rows["full"].representation == "shared"
    equal = {"csn": {"0.1": {"shared": 0.9}, "1.0": {"shared": 0.7, "pooled": 0.7, "specific": 0.6}}}
    assert ablation_rows.choose(equal) == "pooled"


def test_a_difference_is_that_of_the_values_and_the_chosen_features_have_one_of_their_own(rows):
    full, other = rows["full"], rows["no_eyes"]
    for fraction in ("0.1", "1.0"):
        for kind in ("pooled", "shared", HEADLINE):
            ours, theirs = ((row.representation if kind == HEADLINE else kind) for row in (other, full))
            apart = other.differences["cpsc2018"][fraction][kind]
            gap = other.auroc["cpsc2018"][fraction][ours].mean - full.auroc["cpsc2018"][fraction][theirs].mean
            assert apart.mean == pytest.approx(gap, abs=3e-6)
            assert apart.low < apart.mean < apart.high
            assert 0 < apart.p <= 1
            assert apart.detectable > 0
    assert full.differences == {}
    assert other.zero_shot_differences["cpsc2018"].mean == pytest.approx(
        other.zero_shot["cpsc2018"].mean - full.zero_shot["cpsc2018"].mean, abs=3e-6
    )


def test_the_mean_over_tasks_of_one_task_is_that_task(rows):
    for row in rows.values():
        assert row.auroc[MEAN] == row.auroc["cpsc2018"]
        assert row.zero_shot[MEAN] == row.zero_shot["cpsc2018"]


def test_controls_are_compared_with_all_pretrainings(rows, study):
    apart = rows["full"].controls["handcrafted"]["cpsc2018"]["1.0"][HEADLINE]
    control = read_json(study / paths.probe("handcrafted", "cpsc2018"))["results"]["1.0"]["pooled"]["mean"]
    assert apart.mean == pytest.approx(rows["full"].auroc["cpsc2018"]["1.0"]["shared"].mean - control, abs=3e-6)
    assert rows["no_eyes"].controls == {}


def test_one_finished_run_gives_a_row_and_without_the_full_method_there_is_none(study, tmp_path, monkeypatch):
    shutil.copytree(study, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    now = ablations.state()
    ablations.seed_file("no_eyes", 9).unlink()
    full, other = ablation_rows.rows(["no_eyes"], now)
    assert (other.pretraining_seeds, other.full_seeds, full.pretraining_seeds) == ([8], [8, 9], [8, 9])
    shutil.rmtree(ablations.seed_file("full", 8).parent)
    assert list(ablation_rows.rows(["no_eyes"], now)) == []


def test_a_run_that_left_nothing_is_refused(study, monkeypatch):
    monkeypatch.chdir(study)
    with pytest.raises(DataError, match="no probe result"):
        ablation_rows.seed_result("no_eyes", 8, ablations.state(), study / "empty")


def test_more_pretrainings_make_an_interval_of_the_method_not_of_one_training(study, monkeypatch):
    """Two pretrainings vary more than the records alone say."""
    monkeypatch.chdir(study)
    scored = ablation_rows.scored("full", [8, 9])["cpsc2018", "1.0", "pooled"]
    assert scored.count == 2
    assert seeds.estimate(scored).df < np.inf
    json.dumps(read_json(ablations.file("full")), allow_nan=False)
