"""Owns the few exceptions of the package: each message is the fact, what was allowed, and the command that mends it."""

from difflib import get_close_matches


class CgdmerError(Exception):
    """An error a person can act on; the CLI prints it without a traceback and exits with `code`."""

    code = 1

    def __init__(self, fact: str, *, allowed: str = "", fix: str = "") -> None:
        self.fact, self.allowed, self.fix = fact, allowed, fix
        lines = [fact]
        if allowed:
            lines.append(f"  allowed: {allowed}")
        if fix:
            lines.append(f"  to fix: {fix}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep all three parts when a worker process sends the error home."""
        return (_rebuild, (type(self), self.fact, self.allowed, self.fix))


class ConfigError(CgdmerError):
    """A setting, argument or environment variable is wrong."""

    code = 2


class DataError(CgdmerError):
    """A corpus, table, shard or other artefact is missing, damaged or breaks a law."""

    code = 3


class Unavailable(DataError):
    """A server did not answer, or not now; the same command may succeed later (69 is EX_UNAVAILABLE)."""

    code = 69


class RecordError(DataError):
    """One record cannot be used; `fact` becomes its quarantine reason."""


class ValidationFailed(DataError):
    """A critical expectation failed; nothing downstream may run."""

    code = 4


class TrainingStopped(CgdmerError):
    """Training cannot go on: a loss is not finite."""

    code = 5


class Preempted(CgdmerError):
    """Training was told to stop and left a checkpoint; the same command goes on from there (75 is EX_TEMPFAIL)."""

    code = 75


def _rebuild(kind: type[CgdmerError], fact: str, allowed: str, fix: str) -> CgdmerError:
    return kind(fact, allowed=allowed, fix=fix)


def did_you_mean(word: str, choices: list[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest choice, or an empty string."""
    near = get_close_matches(word, choices, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
