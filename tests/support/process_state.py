"""No test depends on which tests ran before it in the same process: what they changed there is put back."""

import logging
import os
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)
SIGNALS = (signal.SIGALRM, signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""Signals that commands and trainings handle while they run."""


def _threads() -> int | None:
    return sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None


@dataclass(frozen=True)
class State:
    """Environment, folder, limits, signal handlers, torch's threads, and how the project's log is set."""

    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: str = field(default_factory=os.getcwd)
    threads: int | None = field(default_factory=_threads)
    limits: list = field(default_factory=lambda: [resource.getrlimit(name) for name in LIMITS])
    handlers: list = field(default_factory=lambda: [signal.getsignal(name) for name in SIGNALS])

    def put_back(self) -> None:
        for name in os.environ.keys() - self.environment.keys():
            del os.environ[name]
        changed = {name: value for name, value in self.environment.items() if os.environ.get(name) != value}
        os.environ.update(changed)
        os.chdir(self.folder)
        for name, limit in zip(LIMITS, self.limits, strict=True):
            resource.setrlimit(name, limit)
        for name, handler in zip(SIGNALS, self.handlers, strict=True):
            if handler is not None:  # None: set by compiled code
                signal.signal(name, handler)
        if self.threads is not None and _threads() != self.threads:
            sys.modules["torch"].set_num_threads(self.threads)
        forget()


def forget() -> None:
    """Undo what a command leaves in libraries: the level of the log, and the addresses that MLflow was told."""
    logging.getLogger("cgdmer").setLevel(logging.NOTSET)
    if "mlflow.tracking" in sys.modules:
        from mlflow.tracking import set_registry_uri, set_tracking_uri

        stated = os.environ.get("MLFLOW_TRACKING_URI")
        set_tracking_uri(None)  # type: ignore[arg-type]
        set_registry_uri(None)  # type: ignore[arg-type]
        if stated is not None:  # the call above deletes the variable
            os.environ["MLFLOW_TRACKING_URI"] = stated


@pytest.fixture(autouse=True, scope="module")
def same_process_after_module() -> Iterator[None]:
    """Put back what fixtures of a whole module changed."""
    state = State()
    yield
    state.put_back()


@pytest.fixture(autouse=True)
def same_process() -> Iterator[None]:
    """Put back what a test changed, and begin as a fresh process would, whatever the fixtures of its module called.

    How the C library manages its heap (`environment.keep_freed_memory`) cannot be put back, so a test that measures or
    bounds the memory of a process starts one.
    """
    state = State()
    forget()
    yield
    state.put_back()
