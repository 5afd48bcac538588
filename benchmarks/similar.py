"""Time `cgdmer similar`'s search over a million vectors, beside a full sort by NumPy and FAISS if it is installed.

Run: python -m benchmarks.similar [--rows 1000000] [--width 192]
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.measuring import machine, timed
from cgdmer.commands.embedding_tables import BLOCK, open_table
from cgdmer.commands.outputs import open_output
from cgdmer.similarity import Nearest

COUNT, ROUNDS = 10, 5


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--width", type=int, default=192)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "table.parquet"
        write(path, chosen.rows, chosen.width)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        whole, table_seconds = timed(lambda: search(blocks_of(path), query(chosen.width)), time.process_time)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        vectors = np.concatenate(list(blocks_of(path)))
    parts = [vectors[begin : begin + BLOCK] for begin in range(0, len(vectors), BLOCK)]
    ways: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: search(iter(parts), query(chosen.width)).rows,
        "argsort": lambda: by_argsort(vectors, query(chosen.width)),
    }
    if find_spec("faiss"):
        index = faiss_index(vectors)
        ways["faiss"] = lambda: index(query(chosen.width))
    results = {name: [timed(way, time.process_time) for _ in range(ROUNDS)] for name, way in ways.items()}
    for name, runs in results.items():
        assert np.array_equal(runs[0][0], whole.rows), f"{name} finds other rows"
    seconds = {name: float(np.median([run[1] for run in runs])) for name, runs in results.items()}
    print(
        json.dumps(
            {
                "name": "similar",
                "ratio": round(seconds["argsort"] / seconds["ours"], 2),
                "seconds": {name: round(value, 3) for name, value in seconds.items()},
                "parquet_seconds": round(table_seconds, 2),
                "parquet_memory_mb": round(grown),
                "rows": chosen.rows,
                "width": chosen.width,
                "clock": "CPU time, median of rounds",
                "machine": machine(),
            }
        )
    )


def write(path: Path, rows: int, width: int) -> None:
    """Write random vectors as `cgdmer embed` writes its features."""
    draw = np.random.default_rng(0)
    with open_output(path, {}) as append:
        for begin in range(0, rows, BLOCK):
            count = min(BLOCK, rows - begin)
            ids = [f"records/{begin + number:07d}.hea" for number in range(count)]
            append({"id": ids, "shared": draw.standard_normal((count, width), dtype=np.float32)})


def blocks_of(path: Path) -> Iterator[np.ndarray]:
    return (vectors for _, vectors in open_table(path, "shared").blocks())


def query(width: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=width)


def search(blocks: Iterator[np.ndarray], vector: np.ndarray) -> Nearest:
    found = Nearest(vector, COUNT)
    for block in blocks:
        found.add(block)
    return found


def by_argsort(vectors: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return the rows by all cosines and a full sort: what one would write without thinking of memory."""
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    cosines = (vectors @ unit) / np.linalg.norm(vectors, axis=1)
    return np.argsort(-cosines)[:COUNT]


def faiss_index(vectors: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a search in FAISS's exact index of the unit vectors; building it is not timed."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return lambda vector: index.search((vector / np.linalg.norm(vector)).astype(np.float32)[None], COUNT)[1][0]


if __name__ == "__main__":
    main()
