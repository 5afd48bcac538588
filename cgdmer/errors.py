"""Exceptions of the package. Every message states the problem, the allowed values and the command that fixes it."""

import itertools
import re
from difflib import get_close_matches


class CgdmerError(Exception):
    """An error that the user can act on; the CLI prints it without a traceback and exits with `code`."""

    code = 1

    def __init__(self, problem: str, *, allowed: str = "", fix: str = "") -> None:
        self.problem, self.allowed, self.fix = problem, allowed, fix
        lines = [problem]
        if allowed:
            lines.append(f"  allowed: {allowed}")
        if fix:
            lines.append(f"  to fix: {fix}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep all three fields when a worker process pickles the error."""
        return (_rebuild, (type(self), self.problem, self.allowed, self.fix))


class ConfigError(CgdmerError):
    """A setting, argument or environment variable is wrong."""

    code = 2


class DataError(CgdmerError):
    """A corpus, table, shard or other artefact is missing, is damaged or violates an invariant."""

    code = 3


class Damaged(DataError, ValueError):
    """A file does not hold what its name says. As a ValueError, it is handled where other damage of a file is."""


class Unavailable(DataError):
    """A server does not answer, or not now; the same command may succeed later (69 is EX_UNAVAILABLE)."""

    code = 69


class RecordError(DataError):
    """One record cannot be used; `reason` is what quarantine tables and lists of rejects state."""

    def reason(self, member: str, *, hide_folder: bool = True) -> str:
        """Return the problem without the record's path `member`, which the tables hold in a column of their own.

        A folder may be named after a patient, so it is removed wherever the problem mentions it.
        """
        problem, (folder, slash, _) = self.problem.removeprefix(f"{member}: "), member.rpartition("/")
        return problem.replace(folder + slash, "") if folder and hide_folder else problem


class ValidationFailed(DataError):
    """A critical expectation failed; no later stage may run."""

    code = 4


class TrainingStopped(CgdmerError):
    """Training cannot continue: a loss is not finite, or a step does not fit in memory."""

    code = 5


class Preempted(CgdmerError):
    """Training was asked to stop and saved a checkpoint; the same command resumes from it (75 is EX_TEMPFAIL)."""

    code = 75


def _rebuild(kind: type[CgdmerError], problem: str, allowed: str, fix: str) -> CgdmerError:
    return kind(problem, allowed=allowed, fix=fix)


def did_you_mean(word: str, choices: list[str]) -> str:
    """Return `; did you mean 'x'?` with the closest choice, or an empty string."""
    matches = get_close_matches(word, choices, n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def printable(text: str) -> str:
    """Return text that any file or terminal can hold: bytes and half characters that are not UTF-8 as `\\x` codes."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()


_CUT = re.compile(r"[:'\"\[({<]")
_PLAIN = re.compile(r"[a-z][a-z-]{0,20}[.,;]?")
_UNITS = frozenset({"mV", "uV", "V", "Hz", "s", "ECG", "EDF", "DICOM", "MATLAB", "WFDB", "JSON", "CSV", "NaN"})
MAX_LOGGED = 120
"""Characters of a reason that a log quotes."""


def redacted(reason: str, member: str = "") -> str:
    """Return what a log may say of a reason, or of another library's message: its first words.

    Reasons quote headers, cells and file names, which may name a patient. All from the first quotation or bracket on is
    cut, the record's path `member` is removed, and names, codes and numbers become an ellipsis.
    """
    for name in filter(None, (member, member.rpartition("/")[2], member.rpartition("/")[2].rpartition(".")[0])):
        reason = reason.replace(name, "...")
    first = _CUT.split(reason[: 10 * MAX_LOGGED], maxsplit=1)[0]
    words = [word if _PLAIN.fullmatch(word) or word.rstrip(".,;") in _UNITS else "..." for word in first.split()]
    return " ".join(word for word, _ in itertools.groupby(words))[:MAX_LOGGED]


EXTRAS = {
    "pipeline": ("dvc", "fastapi", "great_expectations", "mlflow", "prefect", "psutil", "requests", "transformers"),
    "formats": ("edfio", "pydicom", "wfdb"),
    "hub": ("huggingface_hub",),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "png": ("resvg_py",),
    "auth": ("flask_wtf",),
    "dask": ("distributed",),
    "s3": ("boto3", "botocore"),
}
"""Extras of pyproject.toml, with the modules that each installs; `pip install cgdmer` alone installs none of them."""


def not_installed(error: ImportError) -> ConfigError | None:
    """Return the error that names the extra to install, or None if the missing module belongs to none."""
    module = (error.name or "").partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if module in modules), None)
    return ConfigError(f"{module} is not installed", fix=f"pip install 'cgdmer[{extra}]'") if extra else None
