"""Owns `cgdmer doctor`: what of this machine would stop or slow the pipeline, each with the command that mends it."""

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

FREE_LEAST, FREE_USUAL = 1 << 30, 10 << 30
"""Bytes free: the demo needs the first, a real corpus in part the second."""
MEMORY_USUAL = 8 << 30
ANSWER_SECONDS = 3.0
MARKS = {"ok": "ok   ", "note": "note ", "bad": "BAD  "}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; only `bad` fails the examination."""

    state: Literal["ok", "note", "bad"]
    fact: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{MARKS[self.state]} {self.fact}" + (f"\n      to fix: {self.fix}" if self.fix else "")


def examine() -> tuple[bool, str]:
    """Return whether nothing is bad, and all findings as text."""
    checks: list[Callable[[], Iterator[Finding]]] = [
        python, versions, configuration, disk, memory, accelerator, tools, data_cache, servers, optional,
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
    """Compare what is installed with what was tested together."""
    missing = [name for name in _required() if _installed(name) is None]
    if missing:
        yield Finding("bad", f"not installed: {', '.join(missing)}", "pip install -c constraints.txt -e .")
    if not constraints.is_file():
        yield Finding("note", "no constraints.txt here: versions are not compared", "run from the project's root")
        return
    pinned = dict(line.split("==") for line in constraints.read_text(encoding="utf-8").split() if "==" in line)
    other = [
        f"{name} {found} (tested: {version})"
        for name, version in sorted(pinned.items())
        if (found := _installed(name)) is not None and found.split("+")[0] != version
    ]
    if other:
        yield Finding(
            "note", f"other versions than tested: {'; '.join(other[:8])}", "pip install -c constraints.txt -e ."
        )
    elif not missing:
        yield Finding("ok", f"{len(pinned)} pinned versions agree with what is installed")


def configuration() -> Iterator[Finding]:
    for name, read in (("params.yaml", settings.load), ("the environment CGDMER_*", environment.read)):
        try:
            read()
        except CgdmerError as error:
            yield Finding("bad", error.problem, error.fix)
        else:
            yield Finding("ok", f"{name} can be read")


def disk() -> Iterator[Finding]:
    """Look at room and at whether each folder that is written to can be."""
    for folder in (paths.DATA, paths.REPORTS, paths.STATE, Path(tempfile.gettempdir())):
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not _writable(there):
            yield Finding("bad", f"{folder} cannot be written", f"ls -ld {there}; chown or mount it writable")
            continue
        free = shutil.disk_usage(there).free
        state: Literal["ok", "note", "bad"] = "bad" if free < FREE_LEAST else "note" if free < FREE_USUAL else "ok"
        fix = "" if state == "ok" else "dvc gc --workspace, or another disk: dvc cache dir /big/disk"
        yield Finding(state, f"{folder}: writable, {free / (1 << 30):.1f} GiB free", fix)


def memory() -> Iterator[Finding]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    workers = environment_or(lambda: environment.read().workers, "?")
    fact = f"{total / (1 << 30):.0f} GiB of memory, {workers} workers"
    if total < MEMORY_USUAL:
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
    for name in ("git", "dvc"):
        beside = Path(sys.executable).with_name(name)
        found = shutil.which(name) or (str(beside) if beside.exists() else None)
        yield (
            Finding("ok", f"{name} is there")
            if found
            else Finding(
                "bad",
                f"{name} is not on the PATH",
                "apt-get install git" if name == "git" else "source .venv/bin/activate",
            )
        )


def data_cache() -> Iterator[Finding]:
    """Look at DVC's cache, which `dvc checkout` takes lost outputs from."""
    if not Path(".dvc").is_dir():
        yield Finding("note", "this folder is no DVC project", "run from the project's root")
        return
    try:
        told = subprocess.run(
            [sys.executable, "-m", "dvc", "cache", "dir"], capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        yield Finding("bad", "dvc does not answer", "dvc doctor")
        return
    folder = Path(told.stdout.strip() or ".dvc/cache")
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if told.returncode or not _writable(there):
        yield Finding("bad", f"DVC's cache {folder} cannot be written", "dvc cache dir /a/writable/folder")
    else:
        yield Finding("ok", f"DVC's cache {'is there' if folder.exists() else 'will be made'} and is writable")


def servers() -> Iterator[Finding]:
    """Ask each server that the environment names whether it lives."""
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
        elif (why := _silent(address.rstrip("/") + path)) is None:
            yield Finding("ok", f"{server} answers at {variable}")
        else:
            yield Finding("bad", f"{server} does not answer at {variable}: {why}", f"{start}; or unset {variable}")


def optional() -> Iterator[Finding]:
    for name, extra, what in (
        ("edfio", "formats", "EDF recordings"),
        ("pydicom", "formats", "DICOM recordings"),
        ("resvg-py", "png", "PNG pictures"),
        ("distributed", "dask", "Dask clusters"),
    ):
        if _installed(name) is None:
            yield Finding("note", f"{what} need {name}", f"pip install 'cgdmer[{extra}]'")


def environment_or(read: Callable[[], object], default: str) -> str:
    """Return a value of the environment as text, where it is not malformed; `configuration` says when it is."""
    try:
        return str(read())
    except CgdmerError:
        return default


def _required() -> list[str]:
    """Return the names of the packages that this one cannot do without."""
    try:
        stated = metadata.requires("cgdmer") or []
    except metadata.PackageNotFoundError:
        return []
    return [match[0] for line in stated if "extra ==" not in line and (match := re.match(r"[\w.-]+", line))]


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


def _silent(address: str) -> str | None:
    """Return why an address gave no good answer, None where it did; credentials in it are not repeated."""
    import requests

    try:
        answer = requests.get(address, timeout=ANSWER_SECONDS)
    except requests.RequestException as error:
        return type(error).__name__
    return None if answer.ok else f"HTTP {answer.status_code}"
