"""`cgdmer attentive-probe` from the shards of a corpus to reports/attentive.json, and what it refuses."""

from contextlib import redirect_stdout

import polars as pl
import pytest
import yaml
from support import example_pool as example
from support.edited_code import edit
from support.example_task import make_index

from cgdmer import cli, paths, settings, tables
from cgdmer.attentive.results import AttentiveReport
from cgdmer.commands import attentive_probe as command
from cgdmer.files import read_json, sha256
from cgdmer.models import weights
from cgdmer.probing import subsets
from cgdmer.probing.cohort import cohort

SOURCE, RECORDS = "cpsc2018", 72
PARAMS = {
    "matrix": {"sources": [SOURCE], "benchmarks": [SOURCE], "encoders": ["cgdmer"],
               "controls": ["random", "random_resnet18", "handcrafted"], "probed": ["cgdmer", "handcrafted"]},
    "corpora": {},
    "embed": {"batch": 32, "crops": 3, "crop_seconds": 2.0},
    "attentive": {"fractions": [0.02, 1.0], "seeds": 2, "epochs": 3, "min_updates": 4, "bootstrap": 20,
                  "weight_decay": [0.1, 1.0]},
    "model": example.MODEL.model_dump(),
    "signal": example.SIGNAL.model_dump(),
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Shards of a source, labels that are the findings in its signals, a saved model, and the result of one call."""
    folder = tmp_path_factory.mktemp("attentive")
    example.write(folder, SOURCE, records=RECORDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        findings = example.signals(RECORDS)[2]
        rows = tables.read(paths.shards(SOURCE) / "rows.parquet")
        labels = {
            f"{SOURCE}/{name}": pl.Series(findings[:, k] > 0, dtype=pl.UInt8) for k, name in ((0, "AFIB"), (2, "VPC"))
        }
        split = [tables.SPLITS[number % 3] for number in range(RECORDS)]
        index = make_index(RECORDS).select(pl.exclude(f"^{SOURCE}/.*$")).with_columns(id=rows["id"], **labels)
        tables.write(index.with_columns(split=pl.Series(split)), paths.index(SOURCE))
        model = weights.create(example.MODEL, settings.Masking(), settings.Objective(), example.SIGNAL, ["x"], seed=5)
        weights.save(paths.MODEL, example.awake(model), example.SIGNAL, {})
        (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
        with (folder / "printed.txt").open("w") as printed, redirect_stdout(printed):
            assert cli.main(["attentive-probe"]) == 0
    return folder


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)


def test_a_call_writes_typed_results_and_leaves_no_tokens(here, project):
    printed = (project / "printed.txt").read_text()
    report = AttentiveReport.from_json(read_json(paths.attentive()))
    assert report.model == sha256(paths.MODEL / "weights.safetensors")[:16]
    assert report.settings == settings.Attentive(**PARAMS["attentive"]).model_dump()
    assert list(report.tasks) == [SOURCE]
    assert list(report.tasks[SOURCE]) == ["cgdmer"]
    result = report.tasks[SOURCE]["cgdmer"]
    assert (result.encoder, result.width) == ("cgdmer", 2 * example.MODEL.width)
    assert result.tokens == 12 * (example.SIGNAL.samples // example.MODEL.patch)
    for fraction, cell in result.fractions.items():
        for kind in (cell.attentive, cell.mean):
            assert kind.low <= kind.mean <= kind.high
            assert (kind.n_test, kind.seeds, len(kind.epoch), len(kind.by_seed)) == (24, [0, 1], 2, 2)
        assert f"{cell.attentive.mean:.3f}" in printed
        assert cell.difference.mean == pytest.approx(cell.attentive.mean - cell.mean.mean, abs=2e-6)
        assert {*cell.weight_decay["attentive"], *cell.weight_decay["mean"]} <= {0.1, 1.0}, fraction
    assert result.fractions["1.0"].attentive.mean > 0.8
    assert not (paths.STATE / "work/attentive").exists()


def test_a_class_without_a_training_positive_is_scored_as_a_constant(here):
    result = AttentiveReport.from_json(read_json(paths.attentive())).tasks[SOURCE]["cgdmer"].fractions["0.02"]
    joined = cohort(SOURCE, tables.read(paths.index(SOURCE)), tables.read(paths.index(SOURCE))["id"].to_list())
    alone = [subsets.nested(joined.train.ids, 0.02, seed) for seed in (0, 1)]  # one record: no class has both labels
    assert [len(rows) for rows in alone] == [1, 1]
    assert result.attentive.epoch == result.mean.epoch == [0, 0]
    assert result.attentive.by_seed == result.mean.by_seed == [0.5, 0.5]
    assert (result.difference.mean, result.difference.low, result.difference.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("edited", "calls_in_all"),
    [("cgdmer/page/style.css", 1), ("cgdmer/attentive/training.py", 2), ("cgdmer/encoders/cgdmer.py", 2)],
)
def test_a_killed_call_goes_on_to_the_byte_unless_its_code_was_edited(here, monkeypatch, edited, calls_in_all):
    before = paths.attentive().read_bytes()
    calls, finished = [], command.evaluation.evaluate

    def evaluate(*arguments):
        calls.append(arguments)
        return finished(*arguments)

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command.evaluation, "evaluate", evaluate)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(command, "sha256", stopped)  # after the task, before the report
        command.probe()
    with monkeypatch.context() as patch:
        edit(patch, edited)
        command.probe()
    assert len(calls) == calls_in_all
    assert paths.attentive().read_bytes() == before


def test_encoders_and_tasks_can_be_named(here, capsys):
    before = paths.attentive().read_bytes()
    assert cli.main(["attentive-probe", "--encoders", "random_resnet18", "--tasks", SOURCE]) == 0
    report = AttentiveReport.from_json(read_json(paths.attentive()))
    assert list(report.tasks[SOURCE]) == ["random_resnet18"]
    assert "Random ResNet18" in capsys.readouterr().out
    paths.attentive().write_bytes(before)


@pytest.mark.parametrize(
    ("words", "problem", "remedy"),
    [
        (["--encoders", "handcrafted"], "'handcrafted' gives no tokens", "LAYERS in cgdmer/attentive/tokens.py"),
        (["--encoders", "cgdmr"], "did you mean 'cgdmer'?", "cgdmer, cgdmer_base, random, merl_resnet18"),
        (["--encoders", "melp"], "'melp' is not in the matrix", "add melp to matrix.controls"),
        (["--tasks", "cspc2018"], "did you mean 'cpsc2018'?", "matrix.benchmarks in params.yaml"),
        (["--tasks", "ptb_xl_super"], "'ptb_xl_super' is no task", "add the corpus to matrix.benchmarks"),
    ],
)
def test_a_wrong_name_is_refused_with_its_remedy(words, problem, remedy, here, capsys):
    assert cli.main(["attentive-probe", *words]) == 2
    message = capsys.readouterr().err
    assert problem in message
    assert remedy in message


def test_settings_that_would_turn_the_weights_around_are_refused(here):
    params = yaml.safe_load((paths.Path("params.yaml")).read_text())
    params["attentive"] |= {"lr": 0.1, "weight_decay": [0.1, 10.0]}
    wrong = paths.Path("wrong.yaml")
    wrong.write_text(yaml.safe_dump(params))
    with pytest.raises(command.ConfigError, match="every weight_decay times lr to be below 1"):
        command.probe(params=wrong)


def test_a_matrix_without_tokens_says_what_to_add():
    matrix = settings.Matrix(sources=[], benchmarks=[], encoders=[], controls=[], probed=["handcrafted"])
    with pytest.raises(command.ConfigError, match=r"no encoder of matrix\.probed gives tokens"):
        command.chosen_encoders([], matrix)
