"""Publishing for real: record and register, and what must never reach a server."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import mlflow
import numpy as np
import polars as pl
import pytest
from support import example_report
from support.published_project import SECRETS, SETTINGS, use_database

import cgdmer
from cgdmer import paths, publishing, tables
from cgdmer.encoders.pretrained import open_folder
from cgdmer.errors import ConfigError
from cgdmer.files import read_json
from cgdmer.metrics_json import Metrics
from cgdmer.publishing import card, findings, groups
from cgdmer.signals import LEADS, canonical
from cgdmer.stages.pretrain import Sections
from cgdmer.tracking import children, journal, registry, server, state
from cgdmer.training.pretraining_set import key, open_pretraining_set

pytestmark = [pytest.mark.xdist_group("mlflow"), pytest.mark.timeout(600)]


def test_publishing_again_changes_nothing(project):
    client = server.connect()
    before = [(v.name, v.version, v.tags, v.aliases, v.description) for v in client.search_model_versions()]
    counted = len(client.search_runs([server.experiment(client)]))
    assert publishing.publish(SETTINGS, checked=True) == project
    after = [(v.name, v.version, v.tags, v.aliases, v.description) for v in client.search_model_versions()]
    assert after == before
    assert len(client.search_runs([server.experiment(client)])) == counted


def test_a_person_and_a_flow_that_publish_at_once_record_one_run(published, tmp_path, monkeypatch):
    shutil.copytree(published[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    use_database(monkeypatch, shutil.copy(published[0] / "mlflow.db", tmp_path / "copy.db"))
    Path("dvc.lock").write_text("another state")
    plain, begun = children.probes, Event()

    def slow(*words):
        begun.set()
        time.sleep(1.0)
        plain(*words)

    def publish():
        return publishing.publish(SETTINGS, checked=True, label="train.epochs=4").run

    monkeypatch.setattr(children, "probes", slow)
    with ThreadPoolExecutor(2) as pool:
        flow = pool.submit(publish)
        assert begun.wait(60)
        assert pool.submit(publish).result() == flow.result()
    assert server.connect().get_run(flow.result()).info.lifecycle_stage == "active"


def test_the_live_run_of_the_training_is_found_by_the_key_of_the_stage(project, tmp_path, monkeypatch):
    sections = vars(Sections.of(SETTINGS))
    name = key(open_pretraining_set(SETTINGS.signal)[1], *sections.values())
    monkeypatch.setattr(journal, "FOLDER", tmp_path)
    live = tmp_path / f"{name}-1.jsonl"
    live.touch()
    training = findings.pretraining(SETTINGS, state.current(SETTINGS.model_dump()))
    assert training.journal == live
    assert {name.split(".")[0] for name in training.params} == set(sections)
    assert tuple(sections) == findings.TRAINING


def test_what_an_earlier_state_left_is_not_published(published, tmp_path, monkeypatch):
    """Predictions of a corpus that is no benchmark any more, and those that were logged with the last state."""
    folder, _ = published
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for left in (paths.predictions("cgdmer", "csn"), publishing.FOLDER / "predictions/csn.parquet"):
        left.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.predictions("cgdmer", "ptb_xl_super"), left)
    metrics = Metrics.from_json(read_json(paths.METRICS))
    assert "CSN" not in card.write(SETTINGS, metrics, findings.corpora(SETTINGS))
    [logged] = publishing._predictions(SETTINGS.matrix)
    assert {path.stem for path in logged.iterdir()} == {task for task, of in tables.TASKS.items() if of == "ptb_xl"}


def test_a_version_says_what_it_is(project):
    version = server.connect().get_model_version(registry.ECG, "1")
    assert {"dvc_lock", "git_commit", "weights_sha256", "data.ptb_xl", "version.code", "auroc.ptb_xl_super"} <= set(
        version.tags
    )
    assert "## By sex and age" in version.description
    assert "CC BY 4.0" in version.description
    assert len(version.description) <= 5000


def test_the_card_has_intervals_by_sex_and_age(published):
    folder, first = published
    text = (folder / f"mlartifacts/{first.run}/artifacts/model_card.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| PTB-XL Super") and " n " in line)
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    assert len(cells) == 6
    assert "to" in cells[0]
    assert "n 12" in cells[0]
    for heading in ("Intended use", "Data", "Macro AUROC", "Limits"):
        assert f"## {heading}" in text
    assert "not a medical device" in text


def test_a_long_card_is_cut_before_a_heading():
    text = "# A\n\nfirst\n\n## B\n\n" + "x" * 6000
    assert card.fitting(text) == "# A\n\nfirst\n\nThe rest is in the artifact model_card.md of the run.\n"
    assert card.fitting("short") == "short"


def test_groups_know_their_bounds():
    rows = pl.DataFrame({"sex": ["female", "male", None], "age": [39.0, 40.0, None]})
    sizes = {name: rows.filter(belongs).height for name, belongs in groups.memberships()}
    assert sizes == {"female": 1, "male": 1, "under 40": 1, "40 to 59": 1, "60 to 79": 0, "80 and over": 0}


def test_the_registry_gives_the_encoder_back(project):
    publishing.promote()
    signal = np.random.default_rng(0).normal(size=(2, 12, 1000)).astype(np.float32)
    registered = cgdmer.load_encoder("models:/cgdmer-ecg-encoder@champion").encode(signal)
    local = cgdmer.load_encoder(paths.MODEL).encode(signal)
    assert all(np.array_equal(registered[name], local[name]) for name in local)
    assert registry.reload_difference(f"models:/{registry.ECG}/1") == 0.0
    with pytest.raises(ConfigError, match="nobody"):
        cgdmer.load_encoder("models:/cgdmer-ecg-encoder@nobody")


def test_nothing_is_pickled_and_models_load_where_pickles_are_refused(project, monkeypatch):
    files = [path for path in Path("mlartifacts").rglob("*") if path.is_file()]
    assert {"weights.safetensors", "MLmodel"} <= {path.name for path in files}
    for path in files:
        assert path.suffix not in {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".npy", ".npz"}
        assert not path.read_bytes().startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    server.connect()
    signal = np.random.default_rng(0).normal(size=(1, 12, 5000)).astype(np.float32)
    ecg = mlflow.pyfunc.load_model(f"models:/{registry.ECG}/1").predict(signal, params={"fs": 500.0})
    form = example_report.SIGNAL
    row = canonical(signal[0], 500.0, LEADS, form, form.seconds).signal.astype(np.float32) / 1000
    expected = cgdmer.load_encoder(paths.MODEL).encode(row[None])
    assert all(np.allclose(ecg[name], expected[name], atol=1e-5) for name in expected)
    reports = mlflow.pyfunc.load_model(f"models:/{registry.REPORT}/1").predict(["sinus rhythm."])
    assert np.allclose(np.linalg.norm(reports, axis=1), 1.0, atol=1e-5)
    pinned = (next(Path("mlartifacts/models").glob("*/artifacts/requirements.txt"))).read_text().split()
    assert all("==" in line and "+" not in line for line in pinned)


def test_no_secret_no_patient_and_no_report_reaches_a_server(published):
    folder, _ = published
    rows = tables.read(folder / paths.index("ptb_xl"))
    forbidden = [*SECRETS.values(), "sentinel-three-1", "/private/folder", *rows["report"].unique(), "<script>"]
    files = [folder / "mlflow.db", *(path for path in (folder / "mlartifacts").rglob("*") if path.is_file())]
    files += [folder / "dvc.lock", *(folder / ".cgdmer").rglob("*.jsonl")]
    ours = [path for path in files if "code" not in path.relative_to(folder).parts]
    for path in ours:
        content = path.read_bytes()
        for text in forbidden:
            assert text.encode() not in content, (path, text)
    assert not list((folder / "mlartifacts").rglob("report.html"))
    saved = [tables.read(path) for path in (folder / "mlartifacts").rglob("*.parquet")]
    assert saved
    assert not {"patient", "report", "age", "sex"} & {name for frame in saved for name in frame.columns}
    assert not set(rows["id"]) & {name for frame in saved for name in frame["id"]}


def test_the_page_is_logged_only_where_every_corpus_is_simulated(project):
    local = findings.corpora(SETTINGS)
    simulated = [type(one)(one.name, one.digest, one.splits, "simulate", True) for one in local]
    assert paths.REPORT_HTML in findings.pages(simulated)
    assert paths.REPORT_HTML not in findings.pages([*simulated, *local])


def test_a_model_without_reports_has_no_report_encoder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example_report.write_model(example_report.index(), contrastive=0.0, report_reconstruction=0.0)
    assert findings.example(open_folder(paths.MODEL)).vectors is None
