"""`cgdmer external-validation` from a folder of planted sets to reports/real.json, the page and the terminal."""

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from support.edited_code import edit
from support.example_task import TINY_MODEL

from cgdmer import cli, paths, settings
from cgdmer.commands import external_validation as command
from cgdmer.commands import real_tasks
from cgdmer.commands.real_methods import open_methods
from cgdmer.encoders import Setup, cgdmer_base, load
from cgdmer.errors import ConfigError, DataError
from cgdmer.external.external_set import ExternalSet, Labels, Origin
from cgdmer.external.results import RealResult
from cgdmer.files import read_json, sha256
from cgdmer.models import weights
from cgdmer.report import real as page
from cgdmer.settings import Signal

N = 60
PARAMS = {
    "matrix": {"sources": [], "benchmarks": [], "encoders": ["cgdmer"], "controls": ["random", "handcrafted"],
               "probed": []},
    "corpora": {},
    "embed": {"control_seeds": {"random": 2}},
    "probe": {"C": [0.01, 1.0], "bootstrap": 20},
}  # fmt: skip


def planted(name):
    """Return a set of noise whose first lead is larger if its only class is present, and is as large as age."""
    draw = np.random.default_rng(len(name))
    matrix = np.column_stack([draw.random(N) < 0.5, np.arange(N) < 3]).astype(np.uint8)
    ages = draw.uniform(20, 80, N)
    signals = draw.normal(0, 100, (N, 12, 100)) * (1 + 9 * matrix[:, 0])[:, None, None]
    labels = Labels(["big", "rare"], matrix, np.ones(N, bool))
    return ExternalSet(Origin(name, "1.0", "CC0", "https://example.org"), [str(i // 2) for i in range(N)],
                       np.rint(signals).astype(np.int16), np.full(N, 100), {"rhythm": labels}, {"age": ages},
                       {"unusable": 2, "none": 0})  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    form = Signal(seconds=1.0)
    network = weights.create(TINY_MODEL, settings.Masking(), settings.Objective(), form, ["normal"], seed=0)
    weights.save(paths.MODEL, network, form, {"pool": ["mimic_iv_ecg", "csn"]})
    sources = {
        name: command.Source(
            f"{name}.csv", lambda root, name=name: list(root.glob(name)), lambda *_, n=name: planted(n)
        )
        for name in ("ludb", "csn", "code15")
    }
    monkeypatch.setattr(command, "SOURCES", sources)
    for name in ("ludb", "csn"):
        (tmp_path / "sets" / name).mkdir(parents=True)
    return tmp_path / "sets"


def test_a_set_in_a_mirror_is_found_and_a_folder_that_cannot_be_listed_is_passed_over(tmp_path, monkeypatch, caplog):
    version = tmp_path / "ludb" / "1.0.1"
    (version / "data").mkdir(parents=True)
    (version / "ludb.csv").touch()
    (tmp_path / "lost+found").mkdir()
    iterdir = Path.iterdir

    def refuse(path):
        if path.name == "lost+found":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert command.SOURCES["ludb"].find(tmp_path) == command.SOURCES["ludb"].find(tmp_path / "ludb") == [version]
    assert "lost+found is not searched: Permission denied" in caplog.text


def test_sets_at_hand_are_evaluated_and_absent_ones_told(project, caplog, capsys):
    assert cli.main(["external-validation", "--root", str(project)]) == 0
    printed = capsys.readouterr().out
    result = RealResult.from_json(read_json(paths.real()))
    assert result.absent == ["code15"]
    assert "code15: left out" in caplog.text
    assert str(project.parent) not in paths.real().read_text()
    assert {name: one.in_pretraining for name, one in result.sets.items()} == {"ludb": False, "csn": True}
    task = result.sets["ludb"].tasks["rhythm"]
    assert list(task.positives) == ["big"]
    assert set(task.encoders) == {"cgdmer", "random", "handcrafted"}
    assert set(task.encoders["cgdmer"]) == {"pooled", "shared", "specific"}
    assert len(task.encoders["random"]["pooled"].by_weights) == 2
    assert set(task.differences) == {"random", "handcrafted"}
    assert task.encoders["handcrafted"]["pooled"].mean > 0.95  # amplitudes are its features
    assert result.sets["ludb"].left_out == {"unusable": 2}
    assert "age" in result.sets["ludb"].measurements
    assert "CSN rhythm†" in printed
    assert not paths.scratch("real").exists()


@pytest.mark.long
def test_after_a_kill_sets_that_were_done_are_reused(project, monkeypatch):
    scored, score = [], command.score

    def die_in_the_second(name, *rest):
        scored.append(name)
        if len(scored) == 2:
            raise KeyboardInterrupt
        return score(name, *rest)

    monkeypatch.setattr(command, "score", die_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        command.validate(project)
    first = command.validate(project)
    assert scored == ["ludb", "csn", "csn"]
    monkeypatch.setattr(command, "score", score)
    assert command.validate(project) == first


def other_labels(real):
    real.tasks["rhythm"].matrix[0] ^= 1


def other_records(real):
    real.tasks["rhythm"].members[0] = False


def other_measurements(real):
    real.measurements["age"][0] += 1


def fewer_samples(real):
    real.valid[0] -= 1


def other_name(real):
    real.tasks["rhythm"].classes[0] = "large"


@pytest.mark.parametrize("change", [other_labels, other_records, other_measurements, fewer_samples, other_name])
def test_results_are_not_reused_for_a_set_that_was_corrected(project, change):
    config, methods = settings.parse(PARAMS, name="test"), open_methods(["cgdmer"])
    real, corrected = planted("ludb"), planted("ludb")
    change(corrected)
    assert command.key(real, config, methods) == command.key(planted("ludb"), config, methods)
    assert command.key(corrected, config, methods) != command.key(real, config, methods)


@pytest.mark.parametrize(
    "file", ["cgdmer/external/scoring.py", "cgdmer/delineation/qrs.py", "cgdmer/encoders/random.py", "cgdmer/files.py"]
)
def test_results_of_earlier_code_are_not_reused(project, monkeypatch, file):
    config, methods = settings.parse(PARAMS, name="test"), open_methods(["cgdmer"])
    before = command.key(planted("ludb"), config, methods)
    edit(monkeypatch, file)
    assert (command.key(planted("ludb"), config, methods) == before) == (file == "cgdmer/files.py")


def test_the_page_marks_a_seen_corpus_and_names_the_run_without_it(project):
    result = command.validate(project)
    html = page.real_section(result, result.encoder)
    assert "the encoder of this page." in html
    assert "another encoder than this page&#x27;s (x)" in page.real_section(result, "x")
    assert "CSN rhythm†" in html
    assert "LUDB rhythm<" in html
    assert "pretraining_set.sources" in html
    assert "CC0" in html
    assert len(page.tables(result)) == 5
    assert "LUDB rhythm, 20 records" in html
    assert page.real_section(None, "x") is None
    clean = RealResult.from_json(result.to_json() | {"sets": {"ludb": result.sets["ludb"].to_json()}})
    assert "pretraining_set.sources" not in page.headline(clean)


def test_a_folder_that_is_missing_or_empty_is_told(project, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="no folder with real recordings"):
        command.validate(None)
    with pytest.raises(ConfigError, match="not a folder"):
        command.validate(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="none of the sets ludb, csn, code15"):
        command.validate(None)


def test_the_shipped_encoder_is_evaluated_beside_the_projects_own_or_alone(project, tmp_path, monkeypatch):
    base = tmp_path / "base"
    form = Signal(seconds=1.0)
    network = weights.create(TINY_MODEL, settings.Masking(), settings.Objective(), form, ["normal"], seed=1)
    weights.save(base, network, form, {"pool": [], "simulated": {"records": 9}, "recordings": ["ludb"]})
    monkeypatch.setattr(cgdmer_base, "FOLDER", base)
    result = command.validate(project, encoders=("cgdmer", "cgdmer_base"))
    task = result.sets["csn"].tasks["rhythm"]
    assert list(task.encoders)[:2] == ["cgdmer", "cgdmer_base"]
    assert set(task.differences) == {"cgdmer_base", "random", "handcrafted"}
    shutil.rmtree(paths.MODEL)
    assert cli.main(["external-validation", "--root", str(project), "--encoders", "cgdmer_base"]) == 0
    alone = RealResult.from_json(read_json(paths.real()))
    assert (alone.method, alone.encoder) == ("cgdmer_base", sha256(base / weights.WEIGHTS)[:16])
    assert alone.sets["csn"].tasks["rhythm"].encoders["cgdmer_base"] == task.encoders["cgdmer_base"]
    assert {name: one.in_pretraining for name, one in alone.sets.items()} == {"ludb": True, "csn": False}
    assert "Macro AUROC of CG-DMER base minus" in page.headline(alone)
    with pytest.raises(ConfigError, match="no pretrained encoder; did you mean 'cgdmer_base'"):
        command.validate(project, encoders=("cgdmer_bse",))


def test_encoders_that_read_other_signals_are_not_compared(project, tmp_path, monkeypatch):
    form = Signal(seconds=2.0)
    network = weights.create(TINY_MODEL, settings.Masking(), settings.Objective(), form, ["normal"], seed=1)
    weights.save(tmp_path / "base", network, form, {"pool": []})
    monkeypatch.setattr(cgdmer_base, "FOLDER", tmp_path / "base")
    with pytest.raises(ConfigError, match="different forms"):
        command.validate(project, encoders=("cgdmer", "cgdmer_base"))


def test_all_encoders_read_the_crops_that_the_settings_ask_for(project):
    real, methods = planted("ludb"), open_methods(["cgdmer"])
    embed = {"crops": 2, "crop_seconds": 0.5, "control_seeds": {"random": 1}}
    config = settings.parse(PARAMS | {"embed": embed}, name="test").model_copy(update={"model": TINY_MODEL})
    form = methods["cgdmer"].encoder.form
    for name, sets in real_tasks.encode(real, config, methods).encoders.items():
        whole = methods[name].encoder if name in methods else load(name, Setup(form, TINY_MODEL, config.embed.seed))
        millivolt = real.signals.astype(np.float32) / 1000
        halves = [whole.encode(np.ascontiguousarray(millivolt[:, :, half]))["pooled"]
                  for half in (slice(0, 50), slice(50, 100))]  # fmt: skip
        np.testing.assert_allclose(sets[0]["pooled"], np.mean(halves, axis=0), atol=1e-4, err_msg=name)
