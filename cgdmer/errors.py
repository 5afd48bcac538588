"""Exceptions of the package. Every message states the problem, the allowed values and the command that fixes it."""

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


class Unavailable(DataError):
    """A server does not answer, or not now; the same command may succeed later (69 is EX_UNAVAILABLE)."""

    code = 69


class RecordError(DataError):
    """One record cannot be used; `problem` becomes its quarantine reason."""


class ValidationFailed(DataError):
    """A critical expectation failed; no later stage may run."""

    code = 4


class TrainingStopped(CgdmerError):
    """Training cannot continue: a loss is not finite."""

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
