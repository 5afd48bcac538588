"""The settings, the report encoder, DVC's cache and the servers of this project."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cgdmer import environment, settings
from cgdmer.commands.doctor.finding import FROM_ROOT, PIPELINE, Finding, existing, of_params, writable
from cgdmer.commands.doctor.installation import installed, light
from cgdmer.errors import CgdmerError

ANSWER_SECONDS = 3.0


def configuration() -> Iterator[Finding]:
    for name, read in (("params.yaml", settings.load), ("the environment CGDMER_*", environment.read)):
        if name == "params.yaml" and light() and not Path(name).exists():
            yield Finding("note", "no params.yaml in this folder: only the pipeline needs one", FROM_ROOT)
            continue
        try:
            read()
        except CgdmerError as error:
            yield Finding("bad", error.problem, error.fix)
        else:
            yield Finding("ok", f"{name} can be read")


def report_encoder() -> Iterator[Finding]:
    """Check that a pretrained report encoder, if params.yaml names one, is on this machine."""
    return of_params(lambda chosen: encoder_of(chosen.model))


def encoder_of(model: settings.Model) -> Iterator[Finding]:
    """Check that the report encoder of a model, if it is a pretrained one, is on this machine at its revision."""
    if model.text is None:
        return
    try:
        from cgdmer.models import text_files

        text_files.require(model.text, model.text_revision)
    except CgdmerError as error:
        yield Finding("bad", error.problem, error.fix)
    except ImportError:
        yield Finding("note", "the report encoder is not checked", PIPELINE)
    else:
        revision = f" at revision {model.text_revision}" if model.text_revision else ""
        yield Finding("ok", f"the report encoder {model.text} is on this machine{revision}")


def data_cache() -> Iterator[Finding]:
    """Check DVC's cache, from which `dvc checkout` restores lost outputs."""
    if not Path(".dvc").is_dir():
        yield Finding("note", "this folder is not a DVC project", FROM_ROOT)
        return
    if light():
        yield Finding("note", "DVC is not installed: its cache is not checked", PIPELINE)
        return
    folder = cache_folder()
    if folder is None or not writable(existing(folder)):
        fact = f"DVC's cache {folder} cannot be written" if folder else "dvc does not say where its cache is"
        yield Finding("bad", fact, "dvc doctor; or dvc cache dir /a/writable/folder")
    else:
        yield Finding("ok", f"DVC's cache {'exists' if folder.exists() else 'does not exist yet'} and is writable")


def cache_folder() -> Path | None:
    """Return the folder of DVC's cache, or None if dvc does not answer well within a minute."""
    words = [sys.executable, "-m", "dvc", "cache", "dir"]
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return None
    return Path(answer.stdout.strip() or ".dvc/cache") if answer.returncode == 0 else None


def servers() -> Iterator[Finding]:
    """Check that each server that the environment names answers."""
    named = (
        ("MLflow", "MLFLOW_TRACKING_URI", "/health", "mlflow server --host 127.0.0.1 --port 5000"),
        ("Prefect", "PREFECT_API_URL", "/health", "prefect server start"),
    )
    for server, variable, path, start in named:
        address = os.environ.get(variable, "")
        if not address:
            yield Finding("ok", f"{server}: {variable} is not set, a local one is used")
        elif not re.match(r"https?://", address):
            yield Finding("ok", f"{server}: {variable} names local storage")
        elif installed("requests") is None:
            yield Finding("note", f"{server}: {variable} is not checked", PIPELINE)
        elif (why := _failure(address.rstrip("/") + path)) is None:
            yield Finding("ok", f"{server} answers at {variable}")
        else:
            yield Finding("bad", f"{server} does not answer at {variable}: {why}", f"{start}; or unset {variable}")


def _failure(address: str) -> str | None:
    """Return why an address did not answer well, or None if it did; credentials in it are not repeated."""
    import requests

    try:
        answer = requests.get(address, timeout=ANSWER_SECONDS)
    except requests.RequestException as error:
        return type(error).__name__
    return None if answer.ok else f"HTTP {answer.status_code}"
