"""Record DVC experiments in MLflow, after any kind of `dvc exp run`.

Run: python -m flows.experiments [NAME ...]

Each experiment becomes a run beside those of flow runs, with the same params and metrics. Its results are taken from
the DVC cache into a temporary clone, so the workspace stays as it is. A second call adds nothing.
"""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from cgdmer import paths, publishing, settings
from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.tracking import state
from flows import shell, variants

REFERENCE = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(\S+)")
"""Where DVC keeps a finished experiment; what is queued or running has other names."""
ABLATION = re.compile(r".+-seed\d+-[0-9a-f]{8}")
"""Experiments of the ablation study, whose results `publish` records together."""


def stored() -> dict[str, str]:
    """Return the finished experiments of this project by name, with their commits; those of ablations are left out."""
    lines = state.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines()
    found = {}
    for commit, _, reference in (line.partition(" ") for line in lines):
        if (match := REFERENCE.fullmatch(reference)) and not ABLATION.fullmatch(match[1]):
            found[match[1]] = commit
    return found


def record(names: Sequence[str], say: Callable[[str], None]) -> dict[str, str]:
    """Record experiments, all of them if none is named; return name to MLflow run.

    ConfigError for an unknown name; DataError for an experiment whose results are not in the cache.
    """
    known = stored()
    for name in names:
        if name not in known:
            raise ConfigError(
                f"no experiment is called '{name}'{did_you_mean(name, list(known))}",
                allowed=", ".join(sorted(known)) or "none: this project has no experiment", fix="dvc exp show",
            )  # fmt: skip
    runs = {}
    for name in names or sorted(known):
        runs[name] = _record(name, known[name])
        say(f"{name}: MLflow run {runs[name]}")
    return runs


def _record(name: str, commit: str) -> str:
    with TemporaryDirectory(dir=_scratch()) as folder:
        project = variants.clone(commit, Path(folder) / "clone")
        variants.checkout(project)
        with variants.inside(project):
            return publishing.publish(settings.load(), label=name).run


def _scratch() -> Path:
    """Return a folder on the file system of the project, where results are linked and not copied."""
    paths.STATE.mkdir(exist_ok=True)
    return paths.STATE


def main(words: Sequence[str]) -> int:
    """Record the experiments of the command line, and return the exit code."""
    parser = shell.parser("flows.experiments", __doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: every experiment")
    names = parser.parse_args(words).names

    def work() -> None:
        if not record(names, _say):
            _say("this project has no experiment")

    return shell.exit_code(work)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
