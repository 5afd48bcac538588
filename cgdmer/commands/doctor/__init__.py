"""`cgdmer doctor`: find what would stop or slow the pipeline on this machine, with the command that fixes it."""

from collections.abc import Callable, Iterator

from cgdmer.commands.doctor import compiler, installation, machine, project
from cgdmer.commands.doctor.finding import Finding

CHECKS: list[Callable[[], Iterator[Finding]]] = [
    installation.python, installation.versions, installation.pipeline, project.configuration, project.report_encoder,
    machine.disk, machine.memory, machine.accelerator, compiler.check, installation.tools, project.data_cache,
    project.servers, installation.optional,
]  # fmt: skip


def examine(profile: str | None = None) -> tuple[bool, str]:
    """Return True if nothing is bad, and all findings as text; with a `profile`, also whether it can be run here."""
    findings = [finding for check in CHECKS for finding in check()]
    if profile is not None:
        from cgdmer.commands.doctor.dry_run import dry_run

        findings += dry_run(profile)
    bad = sum(finding.state == "bad" for finding in findings)
    lines = [*map(str, findings), f"{len(findings)} findings, {bad} to fix" if bad else "nothing to fix"]
    return not bad, "\n".join(lines)
