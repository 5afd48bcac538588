"""Owns the tasks of the flow: one DVC stage each, with its retries, time limit and concurrency tag."""

from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from flows import dvc

HOUR = 3600.0
GPU = "gpu"
"""Tag of tasks that need an accelerator: `prefect concurrency-limit create gpu N`, N devices."""


def interrupted(_task: Any, _run: Any, state: Any) -> bool:
    """Tell whether a failed stage kept its work and is worth another try; a failed expectation is not."""
    try:
        state.result()
    except dvc.StageInterrupted:
        return True
    except Exception:
        return False
    return False


def _reproduce(name: str, timeout: float) -> bool:
    log = get_run_logger()
    ran = dvc.reproduce(name, log.info, timeout)
    log.info("%s: %s", name, "done" if ran else "nothing had changed")
    return ran


RETRIES: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "task_run_name": "{name}",
    "retry_condition_fn": interrupted,
    "retry_delay_seconds": exponential_backoff(backoff_factor=5),
}


@task(retries=2, retry_jitter_factor=0.5, **RETRIES)
def stage(name: str) -> bool:
    """Run one DVC stage; return whether there was anything to do."""
    return _reproduce(name, 6 * HOUR)


@task(retries=5, retry_jitter_factor=0.5, **RETRIES)
def acquire(name: str) -> bool:
    """Bring a corpus here; a download that breaks off goes on where it stopped."""
    return _reproduce(name, 72 * HOUR)


@task(retries=10, retry_jitter_factor=0.5, tags=[GPU], **RETRIES)
def pretrain(name: str) -> bool:
    """Pretrain; an interrupted training goes on from its last checkpoint."""
    return _reproduce(name, 30 * 24 * HOUR)


@task(retries=2, retry_jitter_factor=0.5, tags=[GPU], **RETRIES)
def gpu_stage(name: str) -> bool:
    """Run one DVC stage on an accelerator."""
    return _reproduce(name, 24 * HOUR)


@task(retries=2, retry_jitter_factor=0.5, cache_policy=NO_CACHE, task_run_name="record, register, promote")
def publish(promote: bool) -> str:
    """Record this pipeline state in MLflow, register its encoders, and let the gate decide; return the run's id."""
    from cgdmer import settings
    from cgdmer.stages import publishing

    log = get_run_logger()
    published = publishing.publish(settings.load())
    log.info("MLflow run %s, versions %s", published.run, published.versions)
    if promote:
        log.info(publishing.promote(settings.load()))
    return published.run
