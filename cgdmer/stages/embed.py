"""Stage embed: one encoder over one corpus, once, in eval mode and fp32 -> cached features.

Records are cut into chunks of `embed.batch`, and each is stored as it is done, outside of what DVC owns: a stage that
was killed goes on from there. Several processes take every second, third, ... chunk; chunks are the same however many
there are, so the bytes are too.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from cgdmer import embeddings, paths, settings, tables
from cgdmer.distributed import World, join, launch, threads, wanted
from cgdmer.encoders import Encoder, Setup, load
from cgdmer.errors import CgdmerError, ConfigError
from cgdmer.files import atomic
from cgdmer.settings.base import Section
from cgdmer.shards import Shards, open_shards

RESUME = "fix the cause and run the same command again: finished records are kept"


def embed(encoder: str, source: str, *, embed: settings.Embed, model: settings.Model, signal: settings.Signal) -> None:
    """Encode every record that a split names, on CGDMER_DEVICES processes or as one of torchrun's."""
    if (count := wanted()) == 1:
        run(encoder, source, embed, model, signal)
        return
    try:
        launch(count, run, encoder, source, embed, model, signal)
    except CgdmerError as error:
        raise type(error)(f"{error.fact}; {unfinished(source, encoder, embed.batch)}", fix=RESUME) from error


def run(encoder: str, source: str, embed: settings.Embed, model: settings.Model, signal: settings.Signal) -> None:
    """Be one of the processes; the first puts the chunks together once all are there."""
    world = join()
    shards = open_shards(paths.shards(source), verify=True)
    chosen = load(encoder, Setup(signal, model, embed.seed, outside=embed.outside))
    check_form(chosen, shards)
    table = wanted_rows(shards)
    work = paths.scratch("embed", encoder, source)
    parts = Parts(work / key(chosen, shards, embed, model, signal), sorted(chosen.dims))
    missing = [part for part in table.iter_slices(embed.batch) if not parts.there(first_of(part))]
    world.meet()  # nobody writes before all have looked
    with threads(world.size):
        for part in missing[world.rank :: world.size]:
            encode(chosen, shards, part, parts, world)
    world.meet()
    if world.chief:
        meta = {"encoder": encoder, "source": source, "dims": chosen.dims, "fs": chosen.fs, "shards": shards.digest}
        meta |= {"encoder_digest": chosen.digest}
        whole = parts.joined([first_of(part) for part in table.iter_slices(embed.batch)])
        embeddings.write(paths.embeddings(encoder, source), table["id"].to_list(), whole, meta)
        shutil.rmtree(work, ignore_errors=True)


def check_form(encoder: Encoder, shards: Shards) -> None:
    """Refuse signals of another rate or length than the encoder was made for."""
    if encoder.fs != shards.fs or shards.samples > round(encoder.fs * encoder.seconds):
        raise ConfigError(
            f"shards have {shards.samples} samples at {shards.fs} Hz",
            allowed=f"encoder {encoder.name} reads up to {encoder.seconds} s at {encoder.fs} Hz",
            fix="dvc repro pretrain",
        )


def wanted_rows(shards: Shards) -> pl.DataFrame:
    """Return `row`, `id`, `split`, `valid` of the records that a split names."""
    table = shards.columns("id", "split", "valid").with_row_index("row")
    return table.filter(pl.col("split") != tables.UNASSIGNED)


def first_of(part: pl.DataFrame) -> int:
    return int(part["row"][0])


def unfinished(source: str, encoder: str, batch: int) -> str:
    """Say which records have no features yet, for an error of a process that could not say so itself."""
    done = {int(path.name.split(".")[0]) for path in paths.scratch("embed", encoder, source).glob("*/*.npy")}
    parts = list(wanted_rows(open_shards(paths.shards(source))).iter_slices(batch))
    left = [part for part in parts if first_of(part) not in done]
    where = f", from {left[0]['id'][0]} to {left[0]['id'][-1]} on" if left else ""
    return f"{len(left)} of {len(parts)} chunks of {source} have no features{where}"


@dataclass(frozen=True)
class Parts:
    """Chunks of features on disk, by the row of their first record."""

    folder: Path
    names: list[str]

    def there(self, first: int) -> bool:
        return all(self.path(first, name).is_file() for name in self.names)

    def path(self, first: int, name: str) -> Path:
        return self.folder / f"{first}.{name}.npy"

    def write(self, first: int, features: dict[str, np.ndarray]) -> None:
        for name in self.names:
            with atomic(self.path(first, name)) as temporary:
                np.save(temporary, features[name])

    def joined(self, firsts: list[int]) -> dict[str, np.ndarray]:
        """Return whole features by name."""
        return {name: np.concatenate([np.load(self.path(first, name)) for first in firsts]) for name in self.names}


def encode(encoder: Encoder, shards: Shards, part: pl.DataFrame, parts: Parts, world: World) -> None:
    """Encode a chunk and store it; an error says where and on which records."""
    signal = shards.gather(part["row"].to_numpy().astype(np.int64)).astype(np.float32) / 1000
    try:
        found = encoder.encode(signal, valid=part["valid"].to_numpy())
    except Exception as error:
        kind = type(error) if isinstance(error, CgdmerError) else CgdmerError
        where = f"rank {world.rank} of {world.size}: encoder {encoder.name} failed on records {part['id'][0]} to "
        raise kind(f"{where}{part['id'][-1]}: {type(error).__name__}: {error}", fix=RESUME) from error
    parts.write(first_of(part), found)


def key(encoder: Encoder, shards: Shards, *sections: Section) -> str:
    """Name the work by all that decides its result."""
    content = [encoder.name, encoder.digest, shards.digest, *(section.model_dump() for section in sections)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
