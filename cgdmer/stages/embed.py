"""Stage embed: one encoder over one corpus, once, in eval mode and fp32 -> cached features.

A random control is embedded with several sets of weights in one call.
"""

import shutil
from contextlib import nullcontext
from importlib import import_module
from typing import Any

from cgdmer import embeddings, paths, settings, stage_code
from cgdmer.distributed import join, launch, process_count
from cgdmer.embeddings import Origin
from cgdmer.encoders import Encoder, Setup, check_name, load, published
from cgdmer.encoders.chunks import RESUME, assigned, encode_corpus, key, unfinished
from cgdmer.encoders.processes import on_every_core
from cgdmer.errors import CgdmerError, ConfigError
from cgdmer.shards import Shards, open_shards


def embed(encoder: str, source: str, *, embed: settings.Embed, model: settings.Model, signal: settings.Signal) -> None:
    """Encode every record that belongs to a split, on CGDMER_DEVICES processes or as one of torchrun's."""
    if (count := process_count()) == 1:
        run(encoder, source, embed, model, signal)
        return
    try:
        launch(count, run, encoder, source, embed, model, signal)
    except CgdmerError as error:
        raise type(error)(f"{error.problem}; {unfinished(source, encoder, embed.batch)}", fix=RESUME) from error


def run(name: str, source: str, embed: settings.Embed, model: settings.Model, signal: settings.Signal) -> None:
    """Run one of the processes; the first writes the features once all chunks are there."""
    check_name(name)
    world = join()
    shards = open_shards(paths.shards(source), verify=True)
    records, sets = assigned(shards), embed.sets_of_weights(name)
    scratch, code = paths.scratch("embed", name, source), stage_code.digest(stage_code.begins("embed", name))
    for weights in range(sets):
        encoder = load(name, Setup.of(signal, model, embed, embed.seed + weights))
        check_form(encoder, shards)
        folder = scratch / f"{key(encoder, shards, code, embed, model, signal)}-{weights}"
        with on_every_core(encoder) if world.size == 1 else nullcontext(encoder) as parallel:
            features = encode_corpus(parallel, shards, records, embed.batch, folder, world)
        if features is not None:
            meta = {"encoder": name, "source": source, "dims": encoder.dims, "fs": encoder.fs, "shards": shards.digest}
            meta |= {"encoder_digest": encoder.digest, "sets_of_weights": sets, "origin": origin(name)}
            embeddings.write(paths.embeddings(name, source, weights), records["id"].to_list(), features, meta)
    if world.is_main:
        shutil.rmtree(scratch, ignore_errors=True)


def origin(name: str) -> dict[str, Any] | None:
    """Return who trained an encoder and on what, for the benchmark page; None for those that this pipeline made."""
    if name in published.names():
        return published.card(name).origin().to_json()
    stated: Origin | None = getattr(import_module(f"cgdmer.encoders.{name}"), "ORIGIN", None)
    return stated.to_json() if stated else None


def check_form(encoder: Encoder, shards: Shards) -> None:
    """Raise ConfigError if the signals have another rate than the encoder reads, or are longer than it reads."""
    if encoder.fs != shards.fs or shards.samples > round(encoder.fs * encoder.seconds):
        name, ours = encoder.name, origin(encoder.name) is None
        raise ConfigError(
            f"shards have {shards.samples} samples at {shards.fs} Hz",
            allowed=f"encoder {name} reads up to {encoder.seconds} s at {encoder.fs} Hz",
            fix="dvc repro pretrain" if ours else f"take {name} out of section matrix of params.yaml",
        )
