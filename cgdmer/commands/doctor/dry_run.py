"""`cgdmer doctor --profile NAME`: prove in two minutes that this machine can run a profile."""

from collections.abc import Iterator

from cgdmer import environment, paths, protocol, settings
from cgdmer.commands import profile
from cgdmer.commands.doctor import compiler, corpora, project, room, trial_step
from cgdmer.commands.doctor.finding import Finding
from cgdmer.errors import CgdmerError
from cgdmer.settings import profiles


def dry_run(name: str) -> Iterator[Finding]:
    """Check what a profile needs: settings, corpora, splits, report encoder, disk, compiler and one training step.

    The settings are those that `cgdmer profile NAME` would write; params.yaml stays as it is.
    """
    try:
        content, edits = profiles.preview(name)
    except CgdmerError as error:
        yield Finding("bad", error.problem, error.fix)
        return
    chosen = settings.parse(content)
    yield Finding("ok", f"profile {name}: the settings are right, and widths divide by heads")
    yield from (Finding("note", f"profile {name}: {line}") for line in edits)
    refused = None
    try:
        adaptation = profile.adapt(chosen)
    except CgdmerError as error:
        yield (refused := Finding("bad", error.problem, error.fix))
    else:
        yield from (Finding("note", line) for line in adaptation.lines)
        chosen = settings.parse(settings.merge(content, adaptation.values))
    found = corpora.find(chosen)
    yield from (one for one in corpora.findings(found) if one != refused)
    yield from published_files(chosen)
    yield from project.encoder_of(chosen.model)
    if not trial_step.has_encoder(chosen):
        yield Finding("note", "a small report encoder stands in for it below, so bytes and seconds are too small")
    task = trial_step.build(chosen)
    yield from room.findings(chosen, found, task)
    yield from compiler.check_for(chosen.train)
    yield from trial_step.findings(chosen, task, corpora.trained_on(chosen, found))


def published_files(chosen: settings.Settings) -> Iterator[Finding]:
    """Check the published split tables and prompts, if they are here; `adapt` reports those that are required."""
    corpora_with_tables = [source for source in chosen.matrix.sources if source in protocol.TABLES]
    required = any(chosen.corpora[source].splits == "published" for source in corpora_with_tables)
    if chosen.protocol.way == "none" and not required:
        yield Finding("note", "protocol.way is none: splits are drawn by a hash and not comparable with published ones")
        return
    root = paths.PROTOCOL if chosen.protocol.way == "download" else environment.read().protocol_root
    if root is None:
        return
    if chosen.protocol.way == "download" and not protocol.available(root):
        yield Finding("note", f"the published split tables and prompts will be downloaded from {protocol.URL}")
        return
    try:
        protocol.verify(root)
    except CgdmerError as error:
        yield Finding("bad", error.problem, error.fix)
    else:
        yield Finding("ok", f"the {len(protocol.PUBLISHED)} published tables and prompts in {root} match their sha256")
