"""The tasks of the flow: each runs one DVC stage, with its retries, time limit and concurrency tag."""

from collections.abc import Callable
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from cgdmer.errors import CgdmerError, Unavailable
from flows import artifacts, dvc, remote
from flows.dvc import Log

HOUR = 3600.0
GPU = "gpu"
"""Tag of tasks that need an accelerator; `make deploy` allows one running task per device."""


def may_succeed_later(_task: Any, _run: Any, state: Any) -> bool:
    """Return True if the failure may be transient.

    An interrupted stage, a server that does not answer and an unknown error may be; every other error of this project
    would occur again. A run that is being stopped retries nothing.
    """
    if dvc.running.stopped:
        return False
    try:
        state.result()
    except (dvc.StageInterrupted, Unavailable):
        return True
    except CgdmerError:
        return False
    except Exception:
        return True
    return False


RETRIES: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retry_condition_fn": may_succeed_later,
    "retry_delay_seconds": exponential_backoff(backoff_factor=5),
    "retry_jitter_factor": 0.5,
}


def _reproduce(name: str, timeout: float, show: Callable[[Log], Log]) -> bool:
    log = get_run_logger()
    ran = remote.reproduce(name, show(log.info), timeout)
    log.info("%s: %s", name, "done" if ran else "nothing had changed")
    return ran


def plain(log: Log) -> Log:
    """Log a stage's lines without change."""
    return log


@task(retries=2, task_run_name="{name}", **RETRIES)
def stage(name: str) -> bool:
    """Run one DVC stage; return True if it ran, False if nothing had changed."""
    return _reproduce(name, 6 * HOUR, plain)


@task(retries=5, task_run_name="{name}", **RETRIES)
def acquire(name: str) -> bool:
    """Acquire a corpus; an interrupted download resumes where it stopped."""
    return _reproduce(name, 72 * HOUR, plain)


@task(retries=10, task_run_name="{name}", tags=[GPU], **RETRIES)
def pretrain(name: str) -> bool:
    """Pretrain; an interrupted training resumes from its last checkpoint."""
    return _reproduce(name, 30 * 24 * HOUR, artifacts.Training)


@task(retries=2, task_run_name="{name}", tags=[GPU], **RETRIES)
def gpu_stage(name: str) -> bool:
    """Run one DVC stage on an accelerator."""
    return _reproduce(name, 24 * HOUR, plain)


@task(retries=3, task_run_name="record, register, promote", **RETRIES)
def publish(promote: bool) -> str:
    """Record the pipeline state in MLflow, register its encoders, maybe promote them; return the run's id."""
    from cgdmer import publishing, settings

    log = get_run_logger()
    published = publishing.publish(settings.load())
    log.info("MLflow run %s, versions %s", published.run, published.versions)
    artifacts.mlflow_run(published.run)
    if promote:
        log.info(publishing.promote())
    return published.run
