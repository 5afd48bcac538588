"""Publishing for real: record, register, gate, go back, serve, and what must never reach a server."""

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from contextlib import chdir
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
from support import example_report
from support.server_process import PATIENCE, ServerProcess, answers, free_port, server_process, tail

import cgdmer
from cgdmer import paths, publishing, settings, stages, tables
from cgdmer.errors import ConfigError, DataError
from cgdmer.publishing import card, findings, gate, groups
from cgdmer.signals import LEADS, canonical
from cgdmer.tracking import aliases, registry, server

pytestmark = [pytest.mark.xdist_group("mlflow"), pytest.mark.timeout(600)]
SECRETS = {"MLFLOW_TRACKING_PASSWORD": "sentinel-one-9731", "AWS_SECRET_ACCESS_KEY": "sentinel-two-8642"}
SETTINGS = settings.Settings(
    matrix=settings.Matrix(
        sources=["ptb_xl"], benchmarks=["ptb_xl"], encoders=["cgdmer"], controls=[], probed=["cgdmer"]
    ),
    corpora={"ptb_xl": settings.Corpus(root="/private/folder")},
    pretraining_set=settings.PretrainingSet(sources=["ptb_xl"]),
    model=example_report.TINY_MODEL,
    signal=example_report.SIGNAL,
)


@pytest.fixture(scope="module")
def published(tmp_path_factory, empty_database):
    """A project after its first `publish`, from a corpus that is not simulated."""
    folder = tmp_path_factory.mktemp("published")
    shutil.copy(empty_database, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            patch.setenv(name, f"sqlite:///{folder}/mlflow.db")
        patch.setattr(groups, "FEWEST", 10)
        example_report.write()
        stages.find("report")(report=settings.Report(), matrix=example_report.MATRIX)
        Path("dvc.lock").write_text("one")
        first = publishing.publish(SETTINGS)
    return folder, first


@pytest.fixture
def project(published, tmp_path, monkeypatch):
    """The published project as working directory, with a database of its own; artifacts are shared."""
    folder, first = published
    shutil.copy(folder / "mlflow.db", tmp_path / "mlflow.db")
    monkeypatch.chdir(folder)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):  # MLflow leaves the second to child processes
        monkeypatch.setenv(name, f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(groups, "FEWEST", 10)
    return first


def candidate(change=lambda frame: frame, *, green=True, tasks=None) -> str:
    """Register one more version of the same weights, whose predictions were changed."""
    client = server.connect()
    experiment = server.experiment(client)
    tags = {"kind": "pipeline", "validation.ptb_xl": "passed" if green else "failed"}
    run = client.create_run(experiment, tags=tags).info.run_id
    for task in tasks or findings.probed():
        frame = change(gate.anonymous(tables.read(paths.predictions("cgdmer", task))))
        path = Path(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")).with_name(f"{task}.parquet")
        tables.write(frame, path)
        client.log_artifact(run, str(path), gate.PREDICTIONS)
    first = client.get_model_version(registry.ECG, "1")
    version = client.create_model_version(registry.ECG, first.source, run)
    client.set_registered_model_alias(registry.ECG, registry.CANDIDATE, version.version)
    return str(version.version)


def perfect(frame: pl.DataFrame) -> pl.DataFrame:
    names = [name.removeprefix("label/") for name in frame.columns if name.startswith("label/")]
    return frame.with_columns(pl.col(f"label/{name}").cast(pl.Float64).alias(f"score/{name}") for name in names)


def hopeless(frame: pl.DataFrame) -> pl.DataFrame:
    return perfect(frame).with_columns(-pl.col("^score/.*$"))


def champion() -> str:
    version = aliases.alias(registry.ECG, aliases.CHAMPION)
    return version.version if version else ""


def test_publishing_again_changes_nothing(project):
    client = server.connect()
    before = [(v.name, v.version, v.tags, v.aliases, v.description) for v in client.search_model_versions()]
    counted = len(client.search_runs([server.experiment(client)]))
    assert publishing.publish(SETTINGS) == project
    after = [(v.name, v.version, v.tags, v.aliases, v.description) for v in client.search_model_versions()]
    assert after == before
    assert len(client.search_runs([server.experiment(client)])) == counted


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
    forbidden = [*SECRETS.values(), "/private/folder", *rows["report"].unique(), "<script>"]
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
    assert findings.example(SETTINGS).vectors is None


def test_the_first_candidate_becomes_champion_and_the_note_is_dated(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    text = publishing.promote()
    assert "promoted: cgdmer-ecg-encoder version 1, cgdmer-report-encoder version 1" in text
    tags = server.connect().get_model_version(registry.ECG, "1").tags
    [note] = [json.loads(value) for key, value in tags.items() if key.startswith("promotion.20")]
    assert (note["by"], note["first"], note["validated"]) == ("ann", True, ["ptb_xl"])
    assert "the champion already" in publishing.promote()


def test_a_promotion_cut_off_half_way_is_completed(project):
    publishing.promote()
    server.connect().delete_registered_model_alias(registry.REPORT, aliases.CHAMPION)
    publishing.promote()
    assert aliases.alias(registry.REPORT, aliases.CHAMPION).version == "1"


@pytest.mark.parametrize(("change", "passes"), [(lambda x: x, True), (perfect, True), (hopeless, False)])
def test_the_gate_compares_the_same_records(project, change, passes):
    publishing.promote()
    new = candidate(change)
    decision = publishing.decide()
    assert decision.passed is passes
    assert champion() == (new if passes else "1")
    assert "champion version 1" in decision.text
    assert "mean over tasks" in decision.text
    assert set(decision.facts["differences"]) == {*findings.probed(), "mean over tasks"}


def test_the_first_champion_remains_the_reference(project, monkeypatch):
    publishing.promote()
    monkeypatch.setattr(gate, "MARGIN", 0.5)
    second = candidate(perfect)
    assert publishing.decide().passed
    assert aliases.alias(registry.ECG, aliases.REFERENCE).version == "1"
    third = candidate(perfect)
    decision = publishing.decide()
    assert decision.passed
    assert f"champion version {second}" in decision.text
    assert "reference version 1" in decision.text
    assert decision.facts["reference"] == "1"
    assert champion() == third


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"green": False}, "validation of ptb_xl is red"),
        ({"tasks": ["ptb_xl_sub"]}, "no predictions of ptb_xl_form"),
        ({"change": lambda frame: frame.with_columns(id=pl.col("id").str.reverse())}, "not of the same records"),
    ],
)
def test_each_refusal_says_why(project, arguments, why):
    publishing.promote()
    candidate(**arguments)
    decision = publishing.decide()
    assert not decision.passed
    assert why in decision.text
    assert champion() == "1"


def test_weights_that_reload_to_other_features_are_refused(project, monkeypatch):
    monkeypatch.setattr(registry, "reload_difference", lambda uri: 0.5)
    decision = publishing.decide()
    assert not decision.passed
    assert "differ by 0.5" in decision.text


def test_going_back_is_not_undone_by_the_next_run(project):
    publishing.promote()
    candidate(perfect)
    publishing.promote()
    assert champion() == "2"
    assert "version 1" in publishing.rollback()
    assert champion() == "1"
    decision = publishing.decide()
    assert "rolled back" in decision.text
    assert champion() == "1"
    with pytest.raises(DataError, match="former champion"):
        publishing.rollback()


def test_without_a_candidate_there_is_nothing_to_promote(here):
    with pytest.raises(DataError, match="no candidate"):
        publishing.promote()


@pytest.mark.server
def test_a_served_encoder_answers_a_request_of_a_recording(project, tmp_path):
    port = free_port()
    command = [Path(sys.executable).with_name("mlflow"), "models", "serve", "-m", f"models:/{registry.ECG}/1",
               "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]  # fmt: skip
    variables = {
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "240",
        "PATH": f"{command[0].parent}:{os.environ['PATH']}",
    }  # fmt: skip
    signal = np.random.default_rng(0).normal(size=(2, 12, 5000)).round(3)
    order = [*LEADS[6:], *LEADS[:6]]
    swapped = np.concatenate([signal[:, 6:], signal[:, :6]], 1)
    with server_process(command, tmp_path / "serve.log", os.environ | variables) as running:
        running.wait(lambda: answers(f"http://127.0.0.1:{port}/ping"))
        first = ask(running, port, {"inputs": signal.tolist(), "params": {"fs": 500.0}})
        second = ask(running, port, {"inputs": swapped.tolist(), "params": {"fs": 500.0, "leads": order}})
    form = example_report.SIGNAL
    rows = [canonical(one.astype(np.float32), 500.0, LEADS, form, form.seconds).signal for one in signal]
    expected = cgdmer.load_encoder(paths.MODEL).encode(np.stack(rows).astype(np.float32) / 1000)
    for answer in (first, second):
        assert all(np.allclose(answer[name], expected[name], atol=1e-4) for name in expected)


def ask(running: ServerProcess, port: int, body: dict[str, object]) -> dict[str, list[list[float]]]:
    """Post a request and return its predictions; a failure shows the server's output."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            predictions: dict[str, list[list[float]]] = json.loads(answer.read())["predictions"]
            return predictions
    except OSError as error:
        detail = error.read()[:2000] if isinstance(error, urllib.error.HTTPError) else error
        raise AssertionError(f"{detail!r}{tail(running.output)}") from error
