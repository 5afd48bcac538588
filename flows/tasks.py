"""The tasks of the flow: each runs one DVC stage, with its retries, time limit and concurrency tag."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed
from prefect.tasks import exponential_backoff

from cgdmer.errors import CgdmerError, Unavailable, ValidationFailed
from flows import artifacts, dvc, notifications, remote
from flows.dvc import Log

HOUR = 3600.0
UNCHANGED = "nothing had changed"
Result = State[bool]
"""The final state of a stage's task; its data is True if the stage ran."""
GPU = "gpu"
"""Tag of tasks that need an accelerator; `make deploy` allows one running task, which has all GPUs of the machine."""
IF_ANY_GPU = [GPU] if dvc.compute_slots() > 1 else []
"""The tag of tasks that use GPUs where there are any, and that need not wait for those of another machine."""


@dataclass(frozen=True)
class Recorded:
    """What MLflow has of a pipeline state."""

    run: str
    verdict: str
    """The gate's decision with its reasons; empty if it was not asked."""


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


def _reproduce(name: str, timeout: float, show: Callable[[Log], Log]) -> Result:
    log = get_run_logger()
    try:
        ran = remote.reproduce(name, show(log.info), timeout)
    except dvc.StageError as error:
        if name.startswith("validate@") and f"with code {ValidationFailed.code}\n" in error.problem:
            notifications.validation_failed(name, error.problem)
        raise
    log.info("%s: %s", name, "done" if ran else UNCHANGED)
    return Completed(data=True, message="done") if ran else skipped()


def skipped() -> Result:
    """Return the final state of a task whose stage had nothing to do: completed, and called `Skipped`."""
    return Completed(name="Skipped", data=False, message=UNCHANGED)


def plain(log: Log) -> Log:
    """Log a stage's lines without change."""
    return log


@task(retries=2, task_run_name="{name}", **RETRIES)
def stage(name: str) -> Result:
    """Run one DVC stage; the result is True if it ran, False if nothing had changed."""
    return _reproduce(name, 6 * HOUR, plain)


@task(retries=2, task_run_name="{name}", tags=IF_ANY_GPU, **RETRIES)
def control(name: str) -> Result:
    """Embed with an encoder that needs no pretraining; large published ones take hours on a CPU."""
    return _reproduce(name, 24 * HOUR, plain)


@task(retries=5, task_run_name="{name}", **RETRIES)
def acquire(name: str) -> Result:
    """Acquire a corpus; an interrupted download resumes where it stopped."""
    return _reproduce(name, 72 * HOUR, plain)


@task(retries=10, task_run_name="{name}", tags=[GPU], **RETRIES)
def pretrain(name: str) -> Result:
    """Pretrain; an interrupted training resumes from its last checkpoint."""
    return _reproduce(name, 30 * 24 * HOUR, artifacts.Training)


@task(retries=2, task_run_name="{name}", tags=[GPU], **RETRIES)
def gpu_stage(name: str) -> Result:
    """Run one DVC stage on the GPUs of the machine."""
    return _reproduce(name, 24 * HOUR, plain)


@task(task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def unchanged(name: str) -> Result:
    """Show a stage as skipped; this starts no process and takes no slot."""
    return skipped()


@task(retries=3, task_run_name="record, register, promote", **RETRIES)
def publish(promote: bool, checked: bool, label: str = "") -> Recorded:
    """Record the pipeline state in MLflow, register its encoders, and maybe ask the gate to promote them.

    `checked`: DVC has just said that nothing had changed, so it need not be asked again. With a `label`, the settings
    are not those of the project: the state is recorded, but its encoders are not registered.
    """
    from cgdmer import publishing, settings
    from cgdmer.commands import costs

    log = get_run_logger()
    chosen = settings.load()
    published = publishing.publish(chosen, costs.of_results(chosen), checked=checked, label=label)
    log.info("MLflow run %s, versions %s", published.run, published.versions)
    artifacts.mlflow_run(published.run)
    decision = publishing.decide() if promote and not label else None
    if decision and not decision.passed:
        notifications.gate_refused(decision.text)
    return Recorded(published.run, decision.text if decision else "")
