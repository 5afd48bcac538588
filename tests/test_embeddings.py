"""Features are read as they were written, by record id; damaged files are refused."""

import hashlib

import numpy as np
import pytest

from cgdmer import embeddings
from cgdmer.errors import DataError

IDS = ["a", "b", "c"]


def features(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(3, dim)).astype(np.float32) for name, dim in (("shared", 4), ("pooled", 9))}


def test_what_is_written_is_read(tmp_path):
    embeddings.write(tmp_path / "e", IDS, features(), {"encoder": "random", "fs": 100.0})
    cached = embeddings.read(tmp_path / "e")
    assert cached.ids == IDS
    assert cached.meta == {"encoder": "random", "fs": 100.0}
    assert cached.features.keys() == features().keys()
    for name, values in features().items():
        assert (cached.features[name] == values).all()
        assert cached.features[name].dtype == np.float32


def test_a_folder_may_be_a_string(tmp_path):
    embeddings.write(tmp_path / "e", IDS, features(), {})
    assert embeddings.read(str(tmp_path / "e")).ids == IDS
    with pytest.raises(DataError, match=r"absent/meta\.json is missing"):
        embeddings.read("absent")


def test_the_same_features_are_the_same_bytes(tmp_path):
    digests = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        embeddings.write(folder, IDS, features(), {"encoder": "random"})
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())])
    assert digests[0] == digests[1]


def test_rows_are_found_by_id_in_the_order_asked(tmp_path):
    cached = embeddings.Embeddings(IDS, features(), {})
    assert cached.rows_of(["c", "a", "c"]).tolist() == [2, 0, 2]
    with pytest.raises(DataError, match=r"1 of 2 records have no features, for example \['x'\]"):
        cached.rows_of(["a", "x"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(tmp_path, value):
    bad = features()
    bad["shared"][1, 2] = value
    with pytest.raises(DataError, match="NaN or Inf in 1 records"):
        embeddings.write(tmp_path / "e", IDS, bad, {})
    assert not (tmp_path / "e/meta.json").exists()


@pytest.mark.parametrize("bad", [np.zeros((2, 4), np.float32), np.zeros(3, np.float32), np.zeros((3, 4))])
def test_features_of_a_wrong_form_are_refused(tmp_path, bad):
    with pytest.raises(DataError, match=r"allowed: float32 \(3, dimensions\)"):
        embeddings.write(tmp_path / "e", IDS, {"shared": bad}, {})


@pytest.mark.parametrize("name", ["shared.npy", "ids.parquet", "meta.json"])
@pytest.mark.parametrize("kind", ["missing", "truncated", "flipped"])
def test_damage_names_the_file(tmp_path, name, kind):
    embeddings.write(tmp_path, IDS, features(), {})
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    if kind == "missing":
        path.unlink()
    elif kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        embeddings.read(tmp_path)
    assert kind == "flipped" or name in caught.value.problem
    assert "dvc checkout" in caught.value.fix


def test_a_broken_off_write_is_not_read_as_whole(tmp_path):
    embeddings.write(tmp_path, IDS, features(), {})
    with pytest.raises(DataError):
        embeddings.write(tmp_path, IDS, {"shared": np.full((3, 2), np.nan, np.float32)}, {})
    with pytest.raises(DataError, match=r"meta\.json is missing"):
        embeddings.read(tmp_path)
