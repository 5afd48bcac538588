"""`cgdmer doctor`: find what would stop or slow the pipeline on this machine, with the command that fixes it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from cgdmer import environment, paths, settings
from cgdmer.errors import CgdmerError

MIN_FREE, RECOMMENDED_FREE = 1 << 30, 10 << 30
"""Bytes free on disk: what the demo needs, and what a real corpus needs in part."""
RECOMMENDED_MEMORY = 8 << 30
ANSWER_SECONDS = 3.0
FROM_ROOT = "run from the project's root"
PIPELINE = "pip install 'cgdmer[pipeline]'"
MARKS = {"ok": "ok   ", "note": "note ", "bad": "BAD  "}


@dataclass(frozen=True)
class Finding:
    """The result of one check; only `bad` makes the command fail."""

    state: Literal["ok", "note", "bad"]
    fact: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{MARKS[self.state]} {self.fact}" + (f"\n      to fix: {self.fix}" if self.fix else "")


def examine() -> tuple[bool, str]:
    """Return True if nothing is bad, and all findings as text."""
    checks: list[Callable[[], Iterator[Finding]]] = [
        python, versions, pipeline, configuration, report_encoder, disk, memory, accelerator, tools, data_cache,
        servers, optional,
    ]  # fmt: skip
    findings = [finding for check in checks for finding in check()]
    bad = sum(finding.state == "bad" for finding in findings)
    lines = [*map(str, findings), f"{len(findings)} findings, {bad} to fix" if bad else "nothing to fix"]
    return not bad, "\n".join(lines)


def python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    inside = sys.prefix != sys.base_prefix
    yield Finding("ok" if inside else "note", f"Python {version}, {'virtual environment' if inside else 'system-wide'}",
                  "" if inside else "python3 -m venv .venv")  # fmt: skip


def versions(constraints: Path = Path("constraints.txt")) -> Iterator[Finding]:
    """Compare the installed versions with the versions that were tested together."""
    missing = [name for name in _required() if _installed(name) is None]
    if missing:
        yield Finding("bad", f"not installed: {', '.join(missing)}", "pip install -c constraints.txt -e .")
    if not constraints.is_file():
        yield Finding("note", "no constraints.txt in this folder: versions are not compared", FROM_ROOT)
        return
    pinned = dict(line.split("==") for line in constraints.read_text(encoding="utf-8").split() if "==" in line)
    other = [
        f"{name} {installed} (tested: {version})"
        for name, version in sorted(pinned.items())
        if (installed := _installed(name)) is not None and installed.split("+")[0] != version
    ]
    if other:
        yield Finding(
            "note",
            f"other versions than tested: {'; '.join(other[:8])}",
            "pip install -c constraints.txt -e '.[pipeline]'",
        )
    elif not missing:
        yield Finding("ok", f"the installed versions are the {len(pinned)} pinned ones")


def pipeline() -> Iterator[Finding]:
    """Look for the libraries of the extra `pipeline`; a light install has none of them on purpose."""
    missing = [name for name in _required("pipeline") if _installed(name) is None]
    if light():
        yield Finding("note", "the pipeline is not installed: embed, score, plot and the Python API work", PIPELINE)
    elif missing:
        yield Finding("bad", f"the pipeline lacks {', '.join(missing)}", PIPELINE)
    else:
        yield Finding("ok", "the libraries of the pipeline are installed")


def light() -> bool:
    """Return True if only `pip install cgdmer` was run, without the extra `pipeline`."""
    return all(_installed(name) is None for name in ("dvc", "mlflow", "prefect"))


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
    try:
        model = settings.load().model
        if model.text is None:
            return
        from cgdmer.models import text_files

        text_files.require(model.text, model.text_revision)
    except CgdmerError as error:
        if error.problem.startswith("model.text"):  # check `configuration` reports other errors
            yield Finding("bad", error.problem, error.fix)
    except ImportError:
        yield Finding("note", "the report encoder is not checked", PIPELINE)
    else:
        yield Finding("ok", f"the report encoder {model.text} is on this machine")


def disk() -> Iterator[Finding]:
    """Check the free space and the permissions of each folder that is written to."""
    for folder in (paths.DATA, paths.REPORTS, paths.STATE, Path(tempfile.gettempdir())):
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not _writable(existing):
            yield Finding("bad", f"{folder} cannot be written", f"ls -ld {existing}; chown or mount it writable")
            continue
        free = shutil.disk_usage(existing).free
        state: Literal["ok", "note", "bad"] = "bad" if free < MIN_FREE else "note" if free < RECOMMENDED_FREE else "ok"
        fix = "" if state == "ok" else "dvc gc --workspace, or another disk: dvc cache dir /big/disk"
        yield Finding(state, f"{folder}: writable, {free / (1 << 30):.1f} GiB free", fix)


def memory() -> Iterator[Finding]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    workers = environment_or(lambda: environment.read().workers, "?")
    fact = f"{total / (1 << 30):.0f} GiB of memory, {workers} workers"
    if total < RECOMMENDED_MEMORY:
        yield Finding("note", fact, "export CGDMER_WORKERS=1")
    else:
        yield Finding("ok", fact)


def accelerator() -> Iterator[Finding]:
    import torch

    asked = environment_or(lambda: environment.read().device, "auto")
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        yield Finding("ok", f"{count} GPU: {torch.cuda.get_device_name(0)}, bf16 {torch.cuda.is_bf16_supported()}")
    elif asked.startswith("cuda"):
        yield Finding(
            "bad",
            f"CGDMER_DEVICE={asked}, and torch {torch.__version__} sees no GPU",
            "nvidia-smi; export CGDMER_DEVICE=cpu",
        )
    else:
        yield Finding("note", f"no GPU (torch {torch.__version__}): the demo needs none, pretraining at scale does")


def tools() -> Iterator[Finding]:
    """Look for the programs that the pipeline calls."""
    fixes = {"git": "apt-get install git", "dvc": PIPELINE if light() else "source .venv/bin/activate"}
    for name, fix in fixes.items():
        if shutil.which(name) or Path(sys.executable).with_name(name).exists():
            yield Finding("ok", f"{name} is installed")
        else:
            yield Finding("note" if light() else "bad", f"{name} is not on the PATH", fix)


def data_cache() -> Iterator[Finding]:
    """Check DVC's cache, from which `dvc checkout` restores lost outputs."""
    if not Path(".dvc").is_dir():
        yield Finding("note", "this folder is not a DVC project", FROM_ROOT)
        return
    if light():
        yield Finding("note", "DVC is not installed: its cache is not checked", PIPELINE)
        return
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "dvc", "cache", "dir"], capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        yield Finding("bad", "dvc does not answer", "dvc doctor")
        return
    folder = Path(answer.stdout.strip() or ".dvc/cache")
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if answer.returncode or not _writable(existing):
        yield Finding("bad", f"DVC's cache {folder} cannot be written", "dvc cache dir /a/writable/folder")
    else:
        yield Finding("ok", f"DVC's cache {'exists' if folder.exists() else 'does not exist yet'} and is writable")


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
        elif _installed("requests") is None:
            yield Finding("note", f"{server}: {variable} is not checked", PIPELINE)
        elif (why := _failure(address.rstrip("/") + path)) is None:
            yield Finding("ok", f"{server} answers at {variable}")
        else:
            yield Finding("bad", f"{server} does not answer at {variable}: {why}", f"{start}; or unset {variable}")


def optional() -> Iterator[Finding]:
    for name, extra, what in (
        ("edfio", "formats", "EDF recordings"),
        ("pydicom", "formats", "DICOM recordings"),
        ("wfdb", "formats", "WFDB recordings in rarer formats"),
        ("resvg-py", "png", "PNG pictures"),
        ("distributed", "dask", "Dask clusters"),
    ):
        if _installed(name) is None:
            yield Finding("note", f"{what} need {name}", f"pip install 'cgdmer[{extra}]'")


def environment_or(read: Callable[[], object], default: str) -> str:
    """Return a value of the environment as text, or the default if it is malformed, which `configuration` reports."""
    try:
        return str(read())
    except CgdmerError:
        return default


def _required(extra: str = "") -> list[str]:
    """Return the names of the packages that cgdmer requires, or that one of its extras adds."""
    try:
        requirements = metadata.requires("cgdmer") or []
    except metadata.PackageNotFoundError:
        return []
    extras = {line: re.search(r"extra == ['\"]([\w-]+)", line) for line in requirements}
    lines = [line for line, match in extras.items() if (match[1] if match else "") == extra]
    return [match[0] for line in lines if (match := re.match(r"[\w.-]+", line))]


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _failure(address: str) -> str | None:
    """Return why an address did not answer well, or None if it did; credentials in it are not repeated."""
    import requests

    try:
        answer = requests.get(address, timeout=ANSWER_SECONDS)
    except requests.RequestException as error:
        return type(error).__name__
    return None if answer.ok else f"HTTP {answer.status_code}"
