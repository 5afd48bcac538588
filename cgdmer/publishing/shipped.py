"""Register the encoder that the package ships, for teams that serve and compare all encoders from one registry.

It has names and an alias of its own (`models:/cgdmer-base-ecg-encoder@shipped`), because the gate compares candidates
of one pipeline on the same test records, which it has not.
"""

import shutil
import tempfile
from pathlib import Path

from cgdmer import paths
from cgdmer.encoders import cgdmer_base
from cgdmer.encoders.pretrained import open_folder
from cgdmer.errors import DataError
from cgdmer.publishing import card, findings
from cgdmer.sharing import about
from cgdmer.sharing.about import About
from cgdmer.sharing.folder import CARD
from cgdmer.tracking import registry, server
from cgdmer.version import __version__

KIND = "shipped"


def publish_shipped() -> tuple[str, dict[str, str]]:
    """Log what the card states, register both encoders, and return run and versions; a second call changes nothing.

    DataError if this installation lacks the encoder or its `about.json`.
    """
    folder = cgdmer_base.require()
    stated = about.read(folder)
    if stated is None:
        raise DataError(f"{folder} states nothing about itself", fix="pip install --force-reinstall cgdmer")
    text = (folder / CARD).read_text(encoding="utf-8").rpartition("\n---\n")[2].strip()
    tags = {"encoder_digest": stated.digest, "encoder_saw": stated.encoder_saw, "version.cgdmer": __version__}
    with server.explained(), tempfile.TemporaryDirectory() as scratch:
        run = _record(folder, stated, tags)
        model = Path(scratch) / paths.MODEL.name  # the name by which registered versions are loaded again
        shutil.copytree(folder, model)
        example = findings.example(open_folder(model))
        return run, registry.register(run, model, example, tags, card.fitting(text), shipped=True)


def _record(folder: Path, stated: About, tags: dict[str, str]) -> str:
    """Return the run of this encoder, logged at the first call."""
    client = server.connect()
    experiment = server.experiment(client)
    same = f"tags.kind = '{KIND}' and tags.encoder_digest = '{stated.digest}' and tags.complete = 'true'"
    for logged in client.search_runs([experiment], same):
        return str(logged.info.run_id)
    name = f"{cgdmer_base.WORD} {stated.digest[:7]}"
    run = str(client.create_run(experiment, run_name=name, tags={**tags, "kind": KIND}).info.run_id)
    server.log_numbers(client, run, numbers(stated))
    for file in (folder / CARD, folder / about.FILE):
        client.log_artifact(run, str(file))
    client.set_tag(run, "complete", "true")
    client.set_terminated(run)
    return run


def numbers(stated: About) -> dict[str, float]:
    """Return the macro AUROCs of the card: probes and zero-shot on simulated corpora, probes on real recordings."""
    probes = {f"auroc/{task}": cell.mean for task, cell in stated.probes.items()}
    prompts = {f"zero_shot/{task}": cell.mean for task, cell in stated.zero_shot.items()}
    real = {f"real/{_key(name)}": row.encoders[cgdmer_base.NAME].mean for name, row in (stated.real or {}).items()}
    return {**probes, **prompts, **real}


def _key(name: str) -> str:
    """Return the name of a set and task with the characters that MLflow allows."""
    return "".join(letter if letter.isalnum() or letter in "_-. " else " " for letter in name)
