"""Data quality over time: each flow run logs what validation counted, so that MLflow draws it as a trend."""

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from cgdmer import paths
from cgdmer.errors import CgdmerError
from cgdmer.files import read_json


@task(cache_policy=NO_CACHE, task_run_name="log validation")
def log_validation(sources: Sequence[str]) -> None:
    """Log records, quarantined records, warnings and failed expectations of each corpus that has been validated.

    The run goes on if MLflow does not answer.
    """
    from cgdmer.tracking import operation_runs

    log = get_run_logger()
    numbers = counts(sources)
    failed = sum(value for name, value in numbers.items() if name.startswith("failed/"))
    try:
        run = operation_runs.record(
            operation_runs.VALIDATION, "validation", {"kind": "validation", "passed": str(not failed)}, numbers
        )
        log.info("validation counts: MLflow run %s", run)
    except CgdmerError as error:
        log.warning("validation counts are not in MLflow: %s", error)


def counts(sources: Sequence[str]) -> dict[str, float]:
    """Return `records/SOURCE`, `quarantined/SOURCE`, `warnings/SOURCE` and `failed/SOURCE` of each validated corpus."""
    numbers: dict[str, float] = {}
    for source in sources:
        path = paths.validation(source) / "result.json"
        if path.exists():
            result = read_json(path)
            found = {"records": result["records"], "quarantined": sum(result["quarantined"].values()),
                     "warnings": len(result["warnings"]), "failed": len(result["critical_failed"])}  # fmt: skip
            numbers |= {f"{name}/{source}": float(value) for name, value in found.items()}
    return numbers
