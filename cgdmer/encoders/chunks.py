"""Encode a corpus in chunks that are stored as they are done, so that a killed process resumes where it was.

Records are cut into chunks of `embed.batch`. Each is written to a scratch folder that DVC does not track. Of several
processes, rank r encodes the missing chunks r, r + size, r + 2 size, ... The chunks do not depend on the number of
processes, so neither do the bytes of the features.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from cgdmer import paths, tables
from cgdmer.distributed import World, threads
from cgdmer.encoders.base import Encoder
from cgdmer.encoders.encoding import encode_rows
from cgdmer.errors import CgdmerError, DataError
from cgdmer.files import atomic, work_key
from cgdmer.settings.base import Section
from cgdmer.shards import Shards, open_shards

RESUME = "fix the cause and run the same command again: finished records are kept"


@dataclass(frozen=True)
class Chunks:
    """The features of each chunk on disk, named by the row number of its first record."""

    folder: Path
    names: list[str]
    """The representations, such as `pooled`."""

    def complete(self, first: int) -> bool:
        """Return True if all representations of the chunk that begins at row `first` are stored."""
        return all(self.path(first, name).is_file() for name in self.names)

    def path(self, first: int, name: str) -> Path:
        return self.folder / f"{first}.{name}.npy"

    def write(self, first: int, features: dict[str, np.ndarray]) -> None:
        for name in self.names:
            with atomic(self.path(first, name)) as temporary:
                np.save(temporary, features[name])

    def join(self, firsts: list[int]) -> dict[str, np.ndarray]:
        """Return the features (N, D) of the chunks that begin at the rows `firsts`, by name."""
        return {name: np.concatenate([np.load(self.path(first, name)) for first in firsts]) for name in self.names}


def encode_corpus(
    encoder: Encoder, shards: Shards, records: pl.DataFrame, batch: int, folder: Path, world: World
) -> dict[str, np.ndarray] | None:
    """Encode the missing chunks of `records` as one of the processes of `world`.

    Return the features (N, D) by name on the first process, once all chunks are stored, and None on the others.
    """
    chunks = Chunks(folder, sorted(encoder.dims))
    slices = list(records.iter_slices(batch))
    missing = [chunk for chunk in slices if not chunks.complete(first_row(chunk))]
    world.barrier()  # no process writes before all have listed what is missing
    with threads(world.size):
        for chunk in missing[world.rank :: world.size]:
            chunks.write(first_row(chunk), encode_chunk(encoder, shards, chunk, world))
    world.barrier()
    return chunks.join([first_row(chunk) for chunk in slices]) if world.is_main else None


def encode_chunk(encoder: Encoder, shards: Shards, chunk: pl.DataFrame, world: World) -> dict[str, np.ndarray]:
    """Encode one chunk; an error names the process, the encoder and the records."""
    rows, valid = chunk["row"].to_numpy().astype(np.int64), chunk["valid"].to_numpy()
    try:
        return encode_rows(encoder, shards, rows, valid, len(rows))
    except DataError:
        raise  # a damaged shard names its file and the command that restores it
    except Exception as error:
        kind = type(error) if isinstance(error, CgdmerError) else CgdmerError
        where = f"rank {world.rank} of {world.size}: encoder {encoder.name} failed on records {chunk['id'][0]} to "
        raise kind(f"{where}{chunk['id'][-1]}: {type(error).__name__}: {error}", fix=RESUME) from error


def assigned(shards: Shards) -> pl.DataFrame:
    """Return `row`, `id`, `split`, `valid` of the records that belong to a split."""
    table = shards.columns("id", "split", "valid").with_row_index("row")
    return table.filter(pl.col("split") != tables.UNASSIGNED)


def first_row(chunk: pl.DataFrame) -> int:
    return int(chunk["row"][0])


def unfinished(source: str, encoder: str, batch: int) -> str:
    """Say which records have no features yet, for a process that was killed before it could report an error."""
    newest = newest_folder(paths.scratch("embed", encoder, source))
    stored = {int(path.name.split(".")[0]) for path in newest.glob("[0-9]*.npy")} if newest else set()
    chunks = list(assigned(open_shards(paths.shards(source))).iter_slices(batch))
    missing = [chunk for chunk in chunks if first_row(chunk) not in stored]
    where = f", from {missing[0]['id'][0]} to {missing[0]['id'][-1]} on" if missing else ""
    return f"{len(missing)} of {len(chunks)} chunks of {source} have no features{where}"


def newest_folder(scratch: Path) -> Path | None:
    """Return the folder in `scratch` that was written last; runs with other settings or code may have left others."""
    folders = [folder for folder in scratch.glob("*-*") if folder.is_dir()]
    return max(folders, key=lambda folder: folder.stat().st_mtime_ns, default=None)


def key(encoder: Encoder, shards: Shards, code: str, *sections: Section) -> str:
    """Return a hash of everything that decides the features: encoder, signals, the digest of the code and settings."""
    return work_key(encoder.name, encoder.digest, shards.digest, code, *(section.model_dump() for section in sections))
