"""Stage embed: one encoder over one corpus, once, in eval mode and fp32 -> cached features."""

import shutil

from cgdmer import embeddings, paths, settings
from cgdmer.distributed import join, launch, process_count
from cgdmer.encoders import Encoder, Setup, load
from cgdmer.encoders.chunks import RESUME, assigned, encode_corpus, key, unfinished
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
    world = join()
    shards = open_shards(paths.shards(source), verify=True)
    encoder = load(name, Setup(signal, model, embed.seed, weights_files=embed.outside))
    check_form(encoder, shards)
    records = assigned(shards)
    scratch = paths.scratch("embed", name, source)
    folder = scratch / key(encoder, shards, embed, model, signal)
    features = encode_corpus(encoder, shards, records, embed.batch, folder, world)
    if features is not None:
        meta = {"encoder": name, "source": source, "dims": encoder.dims, "fs": encoder.fs, "shards": shards.digest}
        meta |= {"encoder_digest": encoder.digest}
        embeddings.write(paths.embeddings(name, source), records["id"].to_list(), features, meta)
        shutil.rmtree(scratch, ignore_errors=True)


def check_form(encoder: Encoder, shards: Shards) -> None:
    """Raise ConfigError if the signals have another rate than the encoder reads, or are longer than it reads."""
    if encoder.fs != shards.fs or shards.samples > round(encoder.fs * encoder.seconds):
        raise ConfigError(
            f"shards have {shards.samples} samples at {shards.fs} Hz",
            allowed=f"encoder {encoder.name} reads up to {encoder.seconds} s at {encoder.fs} Hz",
            fix="dvc repro pretrain",
        )
