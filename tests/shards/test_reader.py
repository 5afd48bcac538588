"""Shards by row number: the right rows in the order asked, little memory, and damage that is named."""

import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from support.shard_folder import finish, rows_frame, write_folder

from cgdmer.errors import ConfigError, DataError
from cgdmer.shards import concatenate, open_shards
from cgdmer.shards.manifest import shard_name

SIZES = [5, 0, 7, 1, 20]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("shards") / "csn"
    return path, write_folder(path, SIZES)


@given(rows=st.lists(st.integers(0, 32), max_size=60))
@limits(max_examples=60)
def test_gather_equals_indexing_in_any_order_with_repeats(folder, rows):
    path, signals = folder
    chosen = np.array(rows, dtype=np.int64)
    assert (open_shards(path).gather(chosen) == signals[chosen]).all()


@given(begin=st.integers(0, 33), length=st.integers(0, 33))
@limits(max_examples=40)
def test_runs_across_shards(folder, begin, length):
    path, signals = folder
    rows = np.arange(begin, min(begin + length, 33))
    assert (open_shards(path).gather(rows) == signals[rows]).all()


@pytest.mark.parametrize("rows", [[33], [-1], [0, 99]])
def test_rows_that_do_not_exist_are_refused(folder, rows):
    with pytest.raises(IndexError, match="asked of 33"):
        open_shards(folder[0]).gather(np.array(rows))


def test_opening_reads_no_signal_and_no_table(folder, tmp_path):
    copy = tmp_path / "csn"
    shutil.copytree(folder[0], copy)
    for path in [*copy.glob("*.npy"), *copy.glob("*.parquet")]:
        path.write_bytes(bytes(path.stat().st_size))
    shards = open_shards(copy)
    assert (len(shards), shards.fs, shards.samples, len(shards.leads)) == (33, 100.0, 100, 12)
    with pytest.raises(DataError, match=r"signals-00002\.npy is not an int16 array"):
        shards.gather(np.array([6]))


def test_rows_come_whole_or_by_column(folder):
    shards = open_shards(folder[0])
    assert shards.rows.drop("source").equals(rows_frame(33))
    assert shards.columns("valid", "id").columns == ["valid", "id", "source"]
    assert shards.rows["source"].unique().to_list() == ["csn"]


def test_reports_are_held_once_and_found_again(folder):
    shards = open_shards(folder[0])
    distinct, report_of_row = shards.reports()
    assert distinct == sorted(set(shards.rows["report"]))
    assert [distinct[k] for k in report_of_row] == shards.rows["report"].to_list()
    assert report_of_row.dtype == np.int32


def test_several_folders_are_one(folder, tmp_path):
    other = write_folder(tmp_path / "ptb_xl", [4, 4], seed=9)
    pool = concatenate([open_shards(folder[0]), open_shards(tmp_path / "ptb_xl")])
    both = np.concatenate([folder[1], other])
    rows = np.random.default_rng(0).permutation(41)
    assert (pool.gather(rows) == both[rows]).all()
    assert pool.rows["source"].to_list() == ["csn"] * 33 + ["ptb_xl"] * 8
    assert pool.digest not in {open_shards(folder[0]).digest, open_shards(tmp_path / "ptb_xl").digest}


def test_folders_of_another_form_do_not_mix(folder, tmp_path):
    write_folder(tmp_path / "ptb_xl", [4], samples=50)
    with pytest.raises(DataError, match="different form"):
        concatenate([open_shards(folder[0]), open_shards(tmp_path / "ptb_xl")])
    with pytest.raises(ConfigError, match=r"pretraining_set\.sources"):
        concatenate([])


def test_the_digest_is_of_the_content_and_not_of_the_place(folder, tmp_path):
    write_folder(tmp_path / "elsewhere", SIZES)
    write_folder(tmp_path / "different", SIZES, seed=1)
    digests = [open_shards(path).digest for path in (folder[0], tmp_path / "elsewhere", tmp_path / "different")]
    assert digests[0] == digests[1] != digests[2]


def test_pickles_small_and_reads_again(folder):
    shards = open_shards(folder[0])
    shards.gather(np.array([1]))
    packed = pickle.dumps(shards)
    assert len(packed) < 20_000
    assert (pickle.loads(packed).gather(np.array([8])) == folder[1][[8]]).all()


def test_a_file_that_was_replaced_is_not_taken_for_the_old_one(tmp_path):
    write_folder(tmp_path / "csn", [3])
    assert open_shards(tmp_path / "csn").gather(np.array([0])).any()
    shutil.rmtree(tmp_path / "csn")
    signals = write_folder(tmp_path / "csn", [3], seed=5)
    assert (open_shards(tmp_path / "csn").gather(np.arange(3)) == signals).all()


def damage(path, kind: str) -> None:
    if kind == "missing":
        path.unlink()
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-7])
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


@pytest.mark.parametrize("kind", ["missing", "truncated", "flipped"])
@pytest.mark.parametrize("name", ["signals-00004.npy", "rows.parquet", "quarantine.parquet", "manifest.json"])
def test_damage_names_the_file_and_the_remedy(folder, tmp_path, name, kind):
    copy = tmp_path / "csn"
    shutil.copytree(folder[0], copy)
    damage(copy / name, kind)
    with pytest.raises(DataError, match=name) as caught:
        open_shards(copy, verify=kind == "flipped")
    assert f"dvc checkout {copy}" in caught.value.fix
    assert "dvc repro --force shards@csn" in caught.value.fix


def test_an_edited_manifest_is_refused(folder, tmp_path):
    copy = tmp_path / "csn"
    shutil.copytree(folder[0], copy)
    content = json.loads((copy / "manifest.json").read_text())
    content["fs"] = 500.0
    (copy / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="does not match its own digest"):
        open_shards(copy)


@pytest.mark.parametrize("change", ["truncated", "missing"])
def test_damage_after_opening_is_an_error_and_not_a_signal(folder, tmp_path, change):
    copy = tmp_path / "csn"
    shutil.copytree(folder[0], copy)
    shards = open_shards(copy)
    damage(copy / "signals-00002.npy", change)
    with pytest.raises(DataError, match=r"signals-00002\.npy (ends before row 6|cannot be read)"):
        shards.gather(np.arange(33))


def test_files_can_be_memory_mapped(folder):
    assert (np.load(folder[0] / "signals-00004.npy", mmap_mode="r") == folder[1][-20:]).all()


def test_another_row_table_is_refused(folder, tmp_path):
    copy = tmp_path / "csn"
    shutil.copytree(folder[0], copy)
    shards = open_shards(copy)
    rows_frame(32).write_parquet(copy / "rows.parquet")
    with pytest.raises(DataError, match=r"rows\.parquet differs from the sha256"):
        shards.columns("id")


MILLION = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
from cgdmer.shards import open_shards
from cgdmer.shards.batches import Pairs

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

folder = Path(sys.argv[1])
before, begin = resident(), time.perf_counter()
shards = open_shards(folder)
distinct, report_of_row = shards.reports()
pairs = Pairs(shards, np.arange(len(shards)), np.zeros((len(distinct), 64), dtype=np.int32), report_of_row)
first = pairs.__getitems__(list(range(256)))
started = time.perf_counter() - begin
rng = np.random.default_rng(0)
for _ in range(40):
    batch = pairs.__getitems__(rng.integers(0, len(shards), 256).tolist())
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak = int(status["VmHWM"].split()[0]) / 1024  # ru_maxrss would count the process that started this one
print(json.dumps({"records": len(pairs), "seconds": started, "peak": peak - before, "grown": resident() - before}))
"""


@pytest.mark.slow
def test_a_million_records_start_fast_and_take_little_memory(tmp_path):
    """24 GB of signals as sparse files: start-up under 5 s, and at no time 500 MB more than before."""
    folder, sizes = tmp_path / "mimic_iv_ecg", [2048] * 488 + [576]
    folder.mkdir()
    for number, size in enumerate(sizes):
        with (folder / shard_name(number)).open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "<i2", "fortran_order": False, "shape": (size, 12, 1000)}
            )
            file.truncate(file.tell() + size * 24_000)
    finish(folder, sizes, 1000, digests={shard_name(number): "0" * 64 for number in range(len(sizes))})
    done = subprocess.run([sys.executable, "-c", MILLION, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["records"] == 1_000_000
    assert measured["seconds"] < 5
    assert measured["peak"] < 500
