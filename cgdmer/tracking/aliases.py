"""Owns who is champion: reading aliases, moving them, going back, and writing down who did it and when."""

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
from cgdmer.tracking.registry import CANDIDATE, ECG, REPORT

CHAMPION, FORMER = "champion", "former-champion"
ROLLED_BACK = "rolled_back"
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow calls a model, or an alias of one, that is not there."""


@dataclass(frozen=True)
class Version:
    """A registered version of a model and the run it came from."""

    version: str
    run_id: str
    tags: Mapping[str, str]


def alias(name: str, which: str) -> Version | None:
    """Return the version behind an alias, or None."""
    try:
        found = server.connect().get_model_version_by_alias(name, which)
        return Version(str(found.version), str(found.run_id), dict(found.tags))
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise


def run_tags(run: str) -> dict[str, str]:
    """Return the tags of the run a version came from."""
    return dict(server.connect().get_run(run).data.tags)


def promote(reason: Mapping[str, Any]) -> dict[str, str]:
    """Make the candidates champions, those so far `former-champion`; return name to version.

    The report encoder moves with the ECG encoder of its run; a promotion that was cut off half way is completed.
    """
    client = server.connect()
    leading = alias(ECG, CANDIDATE)
    if leading is None:
        raise DataError(f"{ECG} has no candidate", fix="python -m cgdmer publish")
    promoted = {}
    for name in (ECG, REPORT):
        candidate, champion = alias(name, CANDIDATE), alias(name, CHAMPION)
        if candidate is None or candidate.run_id != leading.run_id:
            continue
        if champion is not None and champion.version != candidate.version:
            client.set_registered_model_alias(name, FORMER, champion.version)
        client.set_registered_model_alias(name, CHAMPION, candidate.version)
        _note(client, name, candidate.version, "promotion", reason)
        promoted[name] = str(candidate.version)
    return promoted


def rollback() -> dict[str, str]:
    """Make the former champions champions again; the version left is marked, and not promoted again by itself."""
    client = server.connect()
    back = {}
    for name in (ECG, REPORT):
        former, champion = alias(name, FORMER), alias(name, CHAMPION)
        if former is None or champion is None:
            continue
        client.set_registered_model_alias(name, CHAMPION, former.version)
        client.delete_registered_model_alias(name, FORMER)
        client.set_model_version_tag(name, champion.version, ROLLED_BACK, f"{_now()} by {_who()}")
        _note(client, name, former.version, "restored", {"instead_of": champion.version})
        back[name] = str(former.version)
    if not back:
        raise DataError("there is no former champion to go back to", fix="see the registry: mlflow ui")
    return back


def _note(client: MlflowClient, name: str, version: str, event: str, facts: Mapping[str, Any]) -> None:
    """Tag a version with a dated event: what was decided on, and by whom."""
    content = json.dumps({"by": _who(), **facts}, sort_keys=True)
    client.set_model_version_tag(name, version, f"{event}.{_now()}", content)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")


def _who() -> str:
    """Return the name of the account at the server, else of the user here."""
    return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
