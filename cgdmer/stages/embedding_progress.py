"""Progress of stage embed, read from the chunks that its processes have stored.

The stage may run in several processes and go on after a kill; on disk is what all of them have done so far.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cgdmer import paths
from cgdmer.errors import DataError
from cgdmer.progress import SECONDS, progress
from cgdmer.settings import Embed


@contextmanager
def watched(encoder: str, source: str, embed: Embed) -> Iterator[None]:
    """Show how many records have features while the block runs; a log gets no line of a block under SECONDS."""
    ended = threading.Event()
    arguments = (encoder, source, embed, ended)
    watcher = threading.Thread(target=_watch_quietly, args=arguments, name="embed progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch_quietly(*arguments: Any) -> None:
    """Watch until the stage removes its folder; it reports a damaged corpus itself."""
    with suppress(OSError, DataError):
        _watch(*arguments)


def _watch(encoder: str, source: str, embed: Embed, ended: threading.Event) -> None:
    scratch = paths.scratch("embed", encoder, source)
    records = _records(source)
    total = records * embed.sets_of_weights(encoder)
    begun = min(stored(scratch, records, embed.batch), total)
    with progress(total=total, initial=begun, unit="record", desc=f"{encoder} on {source}", leave=False) as bar:
        while not ended.wait(SECONDS):
            bar.update(min(stored(scratch, records, embed.batch), total) - bar.n)


def _records(source: str) -> int:
    from cgdmer.encoders.chunks import assigned
    from cgdmer.shards import open_shards

    return assigned(open_shards(paths.shards(source))).height


def stored(scratch: Path, records: int, batch: int) -> int:
    """Return how many records have features, counted over all sets of weights.

    The folders in `scratch` are named by a key and the number of the set of weights. The newest one is being written,
    and the sets before it are complete. A folder with another key is older: it was left by a run with other settings or
    code.
    """
    from cgdmer.encoders.chunks import newest_folder

    newest = newest_folder(scratch)
    if newest is None:
        return 0
    chunks = {path.name.split(".")[0] for path in newest.glob("[0-9]*.npy")}  # hidden ones are incomplete
    return int(newest.name.rpartition("-")[2]) * records + min(len(chunks) * batch, records)
