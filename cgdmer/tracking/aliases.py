"""Aliases in the model registry: promote the candidate, roll back, and tag each version with who did it and when."""

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from cgdmer.errors import DataError
from cgdmer.tracking import server
from cgdmer.tracking.registry import ECG, REPORT, version_of

CHAMPION, FORMER, REFERENCE = "champion", "former-champion", "reference"
"""The version in use, the one before it, and the first one, which later candidates must not fall below."""
ROLLED_BACK = "rolled_back"
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""Error codes of MLflow for a model or an alias that does not exist."""


@dataclass(frozen=True)
class Version:
    """A registered version of a model and the run it came from."""

    version: str
    run_id: str
    tags: Mapping[str, str]


def alias(name: str, which: str) -> Version | None:
    """Return the version behind an alias, or None."""
    try:
        version = server.connect().get_model_version_by_alias(name, which)
        return Version(str(version.version), str(version.run_id), dict(version.tags))
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise


def run_tags(run: str) -> dict[str, str]:
    """Return the tags of a run."""
    return dict(server.connect().get_run(run).data.tags)


def promote(candidate: Version, reason: Mapping[str, Any]) -> dict[str, str]:
    """Make a candidate champion and the champion `former-champion`; return name to version.

    The first champion also becomes the `reference` and remains it. The report encoder of the candidate's run moves with
    it. The versions are those that the gate judged, even if the alias `candidate` has moved since. Calling this again
    completes a promotion that was interrupted.
    """
    client = server.connect()
    promoted = {}
    for name, version in ((ECG, candidate.version), (REPORT, version_of(client, REPORT, candidate.run_id))):
        if version is None:
            continue
        champion = alias(name, CHAMPION)
        if champion is not None and champion.version != version:
            client.set_registered_model_alias(name, FORMER, champion.version)
        client.set_registered_model_alias(name, CHAMPION, version)
        if alias(name, REFERENCE) is None:
            client.set_registered_model_alias(name, REFERENCE, champion.version if champion else version)
        _note(client, name, version, "promotion", reason)
        promoted[name] = version
    return promoted


def rollback() -> dict[str, str]:
    """Make the former champions champions again and return name to version.

    The version that loses the alias gets the tag `rolled_back`, so that the gate does not promote it again. A report
    encoder goes back only if it was promoted with the ECG encoder that goes back. Calling this again completes a
    rollback that was interrupted: the ECG encoder goes last, and its former alias after all else.
    """
    client = server.connect()
    leading = alias(ECG, CHAMPION)
    restored = {}
    for name in (REPORT, ECG):
        former, champion = alias(name, FORMER), alias(name, CHAMPION)
        if former is None or champion is None:
            continue
        if champion.version != former.version and leading and champion.run_id == leading.run_id:
            _go_back(client, name, champion, former)
            champion = former
        client.delete_registered_model_alias(name, FORMER)
        if champion.version == former.version:  # moved now, or by an earlier call that was interrupted
            restored[name] = former.version
    if not restored:
        raise DataError("there is no former champion to restore", fix="see the registry: mlflow ui")
    return dict(sorted(restored.items()))


def _go_back(client: MlflowClient, name: str, champion: Version, former: Version) -> None:
    client.set_model_version_tag(name, champion.version, ROLLED_BACK, f"{_now()} by {_who()}")
    _note(client, name, former.version, "restored", {"instead_of": champion.version})
    client.set_registered_model_alias(name, CHAMPION, former.version)


def _note(client: MlflowClient, name: str, version: str, event: str, facts: Mapping[str, Any]) -> None:
    """Tag a version with a dated event: its facts and the user who caused it."""
    content = json.dumps({"by": _who(), **facts}, sort_keys=True)
    client.set_model_version_tag(name, version, f"{event}.{_now()}", content)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")


def _who() -> str:
    """Return the account name on the MLflow server, else the name of the local user, or their number if none."""
    try:
        return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
