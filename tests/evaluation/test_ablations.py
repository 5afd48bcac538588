"""The ablation study: its methods and seeds, when results are stale, formats, and adjusted p-values."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cgdmer import paths
from cgdmer.ablation_results import FORMAT, HEADLINE, Ablation, DifferenceCell, Made
from cgdmer.errors import DataError
from cgdmer.evaluation import ablations
from cgdmer.files import write_json, write_text
from cgdmer.probing import multiplicity
from cgdmer.results import Cell

ROOT = Path(__file__).resolve().parents[2]
PARAMS = """
matrix: {sources: [csn], benchmarks: [csn], encoders: [cgdmer], controls: [], probed: [cgdmer]}
corpora: {csn: {}}
pretraining_set: {sources: [csn]}
model: {width: 96}
train: {seed: 7, epochs: 8}
probe: {seeds: 5}
ablations: {seeds: 2}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Settings, an ablation profile, and data of a few bytes."""
    monkeypatch.chdir(tmp_path)
    write_text(Path("params/no_eyes.yaml"), "# Ablation: sees nothing.\nobjective: {contrastive: 0.5}\n")
    write_text(Path("params/demo.yaml"), "# The demo\nmatrix: {}\n")
    write_text(Path("params.yaml"), PARAMS)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    write_json(paths.shards("csn") / "manifest.json", {"digest": "d"})
    write_text(paths.index("csn"), "rows")
    return tmp_path


def apart(p, mean=-0.01):
    return DifferenceCell(mean, mean - 0.02, mean + 0.02, 24, p, 0.03)


def row(name, p, **more):
    """Return a row with one comparison per task and fraction, all with the same p-value."""
    cell = Cell(0.8, 0.7, 0.9, 24, 1, "canonical", by_weights=[0.79, 0.81])
    differences = {task: {share: {HEADLINE: apart(p), "pooled": apart(p)} for share in ("0.1", "1.0")}
                   for task in ("csn", "mean")}  # fmt: skip
    one = Ablation(
        format=FORMAT, profile=name, does="sees nothing", overrides={}, key="0", pretraining_seeds=[8, 9],
        full_seeds=[8, 9], threads=1, representation="pooled", auroc={"csn": {"1.0": {"pooled": cell}}},
        zero_shot={"csn": cell}, zero_shot_differences={"csn": apart(p)}, made=Made("p", "d", {}),
        differences=differences,
    )  # fmt: skip
    return replace(one, **more)


def test_only_profiles_that_say_so_are_ablations(project):
    assert ablations.descriptions() == {"no_eyes": "sees nothing"}


def test_the_projects_own_profiles_are_found(monkeypatch):
    monkeypatch.chdir(ROOT)
    expected = {"contrastive_only", "generative_only", "no_disentanglement", "no_orthogonality", "random_masking",
                "spatial_masking", "temporal_masking"}  # fmt: skip
    assert set(ablations.descriptions()) == expected
    assert all(ablations.descriptions().values())
    assert len(ablations.seeds()) == 3
    assert not ablations.aligned("generative_only")
    assert ablations.aligned(ablations.FULL)


def test_the_seeds_follow_that_of_the_pipeline_which_may_have_had_other_threads(project):
    assert ablations.seeds() == [8, 9]
    changes = ablations.changes("no_eyes", 9)
    assert changes == {"objective": {"contrastive": 0.5}, "train": {"seed": 9}}
    assert ablations.changes(ablations.FULL, 8) == {"train": {"seed": 8}}


def test_a_key_changes_with_params_seed_profile_data_and_code_and_with_nothing_else(project, monkeypatch):
    key = lambda name="no_eyes", seed=8: ablations.state().key(name, seed)  # noqa: E731
    first = key()
    assert len({first, key(seed=9), key("full")}) == 3
    for path, old, new in (
        (Path("params.yaml"), "epochs: 8", "epochs: 9"), (Path("params.yaml"), "width: 96", "width: 48"),
        (Path("params.yaml"), "probe: {seeds: 5}", "probe: {seeds: 4}"),
        (Path("params/no_eyes.yaml"), "0.5", "0.6"), (paths.index("csn"), "rows", "other rows"),
        (paths.shards("csn") / "manifest.json", '"d"', '"e"'),
    ):  # fmt: skip
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new))
        assert key() != first, path
        path.write_text(before)
    Path("params/no_eyes.yaml").write_text("# Ablation: in other words.\nobjective: {contrastive: 0.5}\n")
    Path("params.yaml").write_text(PARAMS.replace("ablations: {seeds: 2}", "report: {title: another}"))
    write_text(paths.MODEL / "weights.safetensors", "of the pipeline's own training")
    assert key() == first
    monkeypatch.setattr(ablations, "code", lambda: {"models/ecg.py": "0"})
    assert key() != first


def test_the_code_behind_a_score_is_counted_and_that_of_intervals_and_pages_is_not():
    names = set(ablations.code())
    counted = (
        "models/ecg.py",
        "training/loop.py",
        "objectives/objective.py",
        "probing/linear_probe.py",
        "encoders/cgdmer.py",
        "encoders/pretrained.py",
    )
    assert {f"cgdmer/{name}" for name in counted} <= names
    assert not any(name.startswith(("cgdmer/report/", "cgdmer/finetuning/")) for name in names)
    assert not names & set(ablations.STATISTICS)


def test_without_data_there_is_no_state(project):
    paths.index("csn").unlink()
    with pytest.raises(DataError, match="make demo"):
        ablations.state()


def test_a_stale_row_says_what_changed(project, monkeypatch):
    now = ablations.state()
    made = row("no_eyes", 0.5, key=now.row_key("no_eyes", [8, 9]), made=now.made("no_eyes"))
    write_json(ablations.file("no_eyes"), made.to_json())
    assert (ablations.read()["no_eyes"].stale, ablations.read()["no_eyes"].changed) == (False, None)
    Path("params.yaml").write_text(PARAMS.replace("epochs: 8", "epochs: 9"))
    code = now.code | {"cgdmer/objectives/objective.py": "0" * 64}
    monkeypatch.setattr(ablations, "code", lambda: code)
    read = ablations.read()["no_eyes"]
    assert read.stale
    assert read.changed == ["params", "cgdmer/objectives/objective.py"]


def test_files_of_an_earlier_format_are_named_and_not_read(project):
    write_json(ablations.file("no_eyes"), {"key": "0" * 16, "auroc": {}, "profile": "no_eyes"})
    assert ablations.read() == {}
    assert ablations.outdated() == [ablations.file("no_eyes")]
    assert ablations.left_out(ablations.read()) == {"reports/ablations/no_eyes.json": "an earlier format"}


def test_rows_of_other_corpora_are_no_part_of_a_run_and_named(project):
    """After the demo, a run on real recordings must not show what was measured on simulated ones."""
    now = ablations.state()
    for name in ("full", "no_eyes"):
        made = row(name, 0.04, key=now.row_key(name, [8, 9]), made=now.made(name))
        write_json(ablations.file(name), made.to_json())
    assert list(ablations.read()) == ["full", "no_eyes"]
    assert ablations.left_out(ablations.read()) == {}
    real = row("full", 0.04, key="1", made=replace(now.made("full"), params="other"))
    write_json(paths.shards("csn") / "manifest.json", {"digest": "real recordings"})
    assert ablations.read() == {}
    assert set(ablations.left_out(ablations.read()).values()) == {"other data"}
    real = replace(real, made=replace(real.made, data=ablations.state().made("full").data))
    write_json(ablations.file("full"), real.to_json())
    assert list(ablations.read()) == ["full"]
    assert ablations.left_out(ablations.read()) == {"reports/ablations/no_eyes.json": "other data"}


def test_a_run_is_current_with_its_key_its_format_and_its_scores(project):
    now = ablations.state()
    content = {"format": FORMAT, "key": now.key("no_eyes", 8)}
    write_json(ablations.seed_file("no_eyes", 8), content)
    assert not ablations.is_current("no_eyes", 8, now)
    ablations.scores("no_eyes", 8).mkdir(parents=True)
    assert ablations.is_current("no_eyes", 8, now)
    for other in ({"format": 1}, {"key": "of another state"}):
        write_json(ablations.seed_file("no_eyes", 8), content | other)
        assert not ablations.is_current("no_eyes", 8, now)


def test_the_planned_comparison_keeps_its_p_value_and_all_others_are_adjusted_together():
    rows = ablations.adjust({"a": row("a", 0.004), "b": row("b", 0.01)})
    unplanned = [0.004] * 4 + [0.01] * 4  # two tasks at two fractions and zero-shot, less the planned one
    small, large = multiplicity.holm(unplanned)[0], multiplicity.holm(unplanned)[-1]
    for name, wanted in (("a", small), ("b", large)):
        shares = rows[name].differences["mean"]
        assert shares["1.0"][HEADLINE].p_adjusted is None
        assert shares["0.1"][HEADLINE].p_adjusted == pytest.approx(wanted)
        assert rows[name].differences["csn"]["1.0"][HEADLINE].p_adjusted == pytest.approx(wanted)
        assert rows[name].zero_shot_differences["csn"].p_adjusted == pytest.approx(wanted)
        assert shares["1.0"]["pooled"].p_adjusted is None


def test_a_row_survives_json():
    one = replace(row("a", 0.2), changed=None)
    assert Ablation.from_json(one.to_json()) == one
    assert "made" not in one.numbers().to_json()
