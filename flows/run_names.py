"""The name of a flow run says what runs: its deployment, the profile of params.yaml, and the commit."""

from prefect import runtime

from cgdmer import settings
from cgdmer.errors import CgdmerError
from cgdmer.settings import profiles
from cgdmer.tracking import state
from flows import run_settings


def of_this_run() -> str:
    """Return a name such as `benchmark paper 3f2a1c8`, or `benchmark paper, 2 settings changed, 3f2a1c8`.

    A run with overrides is named by them: `benchmark demo, train.epochs=4, 3f2a1c8`. Prefect calls this when a run
    starts. A run without a deployment is named by its flow.
    """
    what = runtime.deployment.name or runtime.flow_run.flow_name or "run"
    given = runtime.flow_run.parameters or {}
    base = given.get("profile") or profile().rstrip(",")
    changes = run_settings.label(None, given.get("overrides"))
    text = f"{base}, {changes}," if changes else given.get("profile") or profile()
    return " ".join(filter(None, [what, text, commit()]))


def profile() -> str:
    """Return the profile that params.yaml was written for, and how many of its settings were changed since.

    A file that cannot be read gives an empty text; the run itself fails with the reason.
    """
    try:
        content = profiles.flat(settings.read(profiles.PARAMS))
        text = profiles.PARAMS.read_text(encoding="utf-8")
        base = profiles.flat(profiles.written_from(text))
    except (CgdmerError, OSError):
        return ""
    changed = sum(content.get(key, profiles.ABSENT) != base.get(key, profiles.ABSENT) for key in {**base, **content})
    name = profiles.name_of(text)
    return f"{name}, {changed} setting{'s' if changed > 1 else ''} changed," if changed else name


def commit() -> str:
    """Return the first seven digits of the commit that is checked out; empty without one."""
    return state.git("rev-parse", "--short=7", "HEAD")
