"""A flipped bit or a truncated file is noticed before use; the error names the file and the command to restore it."""

import random
from pathlib import Path

import pytest

from cgdmer import embeddings, paths, settings, stages, tables
from cgdmer.errors import DataError
from cgdmer.models import weights

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500), pytest.mark.xdist_group("faults")]

SOURCE = "csn"


def run(call: str) -> None:
    stage, *items = call.split()
    stages.call(stage, items, settings.load())


READERS = {
    "data/index/csn.parquet": lambda: tables.read(paths.index(SOURCE)),
    "data/shards/csn/signals-00001.npy": lambda: run("embed random csn"),
    "data/shards/csn/rows.parquet": lambda: run("embed random csn"),
    "data/shards/mimic_iv_ecg/signals-00000.npy": lambda: run("pretrain"),
    "data/shards/mimic_iv_ecg/manifest.json": lambda: run("pretraining_set"),
    "data/models/pretrain/weights.safetensors": lambda: weights.load(paths.MODEL),
    "data/models/pretrain/tokenizer.json": lambda: weights.load(paths.MODEL),
    "data/models/pretrain/config.json": lambda: weights.load(paths.MODEL),
    "data/embeddings/cgdmer/csn/shared.npy": lambda: embeddings.read(paths.embeddings("cgdmer", SOURCE)),
    "data/embeddings/cgdmer/csn/ids.parquet": lambda: embeddings.read(paths.embeddings("cgdmer", SOURCE)),
    "data/embeddings/cgdmer/csn/meta.json": lambda: embeddings.read(paths.embeddings("cgdmer", SOURCE)),
}


def flip(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def cut(path: Path, draw: random.Random) -> None:
    """Cut more than one byte: the last one of a JSON file is a line break, and without it the file says the same."""
    path.write_bytes(path.read_bytes()[: -draw.randint(2, 100)])


@pytest.mark.parametrize("name", READERS)
def test_damage_is_noticed_and_named_with_a_remedy(project, name):
    path, whole, seed = project / name, (project / name).read_bytes(), random.randrange(10**6)
    draw = random.Random(seed)
    for harm in (flip, flip, cut):
        harm(path, draw)
        with pytest.raises(DataError) as caught:
            READERS[name]()
        assert Path(name).name in str(caught.value), f"seed {seed}"
        assert "dvc" in caught.value.fix, f"seed {seed}"
        path.write_bytes(whole)
    READERS[name]() if name.startswith(("data/index", "data/models", "data/embeddings")) else None
