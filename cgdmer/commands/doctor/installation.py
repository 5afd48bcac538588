"""Python, the installed packages and the programs that the pipeline calls."""

import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from cgdmer.commands.doctor.finding import FROM_ROOT, PIPELINE, Finding


def python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    inside = sys.prefix != sys.base_prefix
    yield Finding("ok" if inside else "note", f"Python {version}, {'virtual environment' if inside else 'system-wide'}",
                  "" if inside else "python3 -m venv .venv")  # fmt: skip


def versions(constraints: Path = Path("constraints.txt")) -> Iterator[Finding]:
    """Compare the installed versions with the versions that were tested together."""
    missing = [name for name in required() if installed(name) is None]
    if missing:
        yield Finding("bad", f"not installed: {', '.join(missing)}", "pip install -c constraints.txt -e .")
    if not constraints.is_file():
        yield Finding("note", "no constraints.txt in this folder: versions are not compared", FROM_ROOT)
        return
    pinned = dict(line.split("==") for line in constraints.read_text(encoding="utf-8").split() if "==" in line)
    other = [
        f"{name} {present} (tested: {version})"
        for name, version in sorted(pinned.items())
        if (present := installed(name)) is not None and present.split("+")[0] != version
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
    missing = [name for name in required("pipeline") if installed(name) is None]
    if light():
        yield Finding("note", "the pipeline is not installed: embed, score, plot and the Python API work", PIPELINE)
    elif missing:
        yield Finding("bad", f"the pipeline lacks {', '.join(missing)}", PIPELINE)
    else:
        yield Finding("ok", "the libraries of the pipeline are installed")


def light() -> bool:
    """Return True if only `pip install cgdmer` was run, without the extra `pipeline`."""
    return all(installed(name) is None for name in ("dvc", "mlflow", "prefect"))


def tools() -> Iterator[Finding]:
    """Look for the programs that the pipeline calls."""
    fixes = {"git": "apt-get install git", "dvc": PIPELINE if light() else "source .venv/bin/activate"}
    for name, fix in fixes.items():
        if shutil.which(name) or Path(sys.executable).with_name(name).exists():
            yield Finding("ok", f"{name} is installed")
        else:
            yield Finding("note" if light() else "bad", f"{name} is not on the PATH", fix)


def optional() -> Iterator[Finding]:
    for name, extra, what in (
        ("edfio", "formats", "EDF recordings"),
        ("pydicom", "formats", "DICOM recordings"),
        ("wfdb", "formats", "WFDB recordings in rarer formats"),
        ("resvg-py", "png", "PNG pictures"),
        ("huggingface-hub", "hub", "encoders of a Hugging Face hub"),
        ("onnxruntime", "onnx", "ONNX graphs"),
        ("distributed", "dask", "Dask clusters"),
    ):
        if installed(name) is None:
            yield Finding("note", f"{what} need {name}", f"pip install 'cgdmer[{extra}]'")


def required(extra: str = "") -> list[str]:
    """Return the names of the packages that cgdmer requires, or that one of its extras adds."""
    try:
        requirements = metadata.requires("cgdmer") or []
    except metadata.PackageNotFoundError:
        return []
    extras = {line: re.search(r"extra == ['\"]([\w-]+)", line) for line in requirements}
    lines = [line for line, match in extras.items() if (match[1] if match else "") == extra]
    return [match[0] for line in lines if (match := re.match(r"[\w.-]+", line))]


def installed(name: str) -> str | None:
    """Return the version of a package, or None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
