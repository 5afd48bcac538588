"""Batch inference: only new content is computed, a stopped run goes on, another model starts anew, buckets work too."""

import os
import shutil
import sys
from pathlib import Path

import boto3
import numpy as np
import polars as pl
import pytest
from moto import mock_aws
from support import example_recordings as example

import cgdmer
from cgdmer.errors import ConfigError, DataError, Unavailable
from cgdmer.operations import batch, bucket
from cgdmer.operations import store as kept_parts
from cgdmer.recordings import ArrayMetadata


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    for number in range(3):
        example.wfdb(tmp_path / "in/ward", f"rec{number}", number)
    example.npy(tmp_path / "in", "array", 7)
    (tmp_path / "in/broken.edf").write_bytes(b"nothing")
    return tmp_path / "in"


def request(source, **more):
    return batch.Request("embed", str(source), Path("out").absolute(), str(example.model()), **more)


def counts(outcome):
    return outcome.found, outcome.known, outcome.written, outcome.rejected


def rows(outcome, name="part"):
    return pl.concat([pl.read_parquet(path) for path in sorted(outcome.folder.glob(f"{name}-*.parquet"))])


def test_a_second_run_computes_only_what_is_new(source):
    first = batch.run(request(source))
    assert counts(first) == (5, 0, 4, 1)
    example.wfdb(source / "ward", "rec9", 9)
    shutil.copytree(source / "ward", source / "copy")
    again = batch.run(request(source))
    assert counts(again) == (10, 9, 1, 0)
    table = rows(again)
    assert table.height == table["sha256"].n_unique() == 5
    record = cgdmer.read_record(source / "ward/rec9.hea", encoder := cgdmer.load_encoder(example.model()))
    expected = encoder.encode(record.signal[None])["pooled"][0]
    row = table.filter(pl.col("id").str.ends_with("rec9.hea"))
    np.testing.assert_allclose(row["pooled"].to_numpy()[0], expected, atol=1e-5)


def test_changed_content_is_computed_again_and_so_is_a_reject_that_was_mended(source):
    batch.run(request(source))
    np.save(source / "array.npy", example.millivolt(8))
    example.edf(source, "broken", 3)
    again = batch.run(request(source))
    assert counts(again) == (5, 3, 2, 0)
    (source / "array.json").write_text((source / "array.json").read_text().replace("500", "400"))
    assert counts(batch.run(request(source))) == (5, 4, 1, 0)


def test_a_changed_segment_is_computed_again(source):
    for number in (0, 1):
        example.wfdb(source / "ward", f"r{number}", number)
    (source / "ward/both.hea").write_text("both/2 12 500 5000\nr0 2500\nr1 2500\n")
    assert counts(batch.run(request(source / "ward/both.hea"))) == (1, 0, 1, 0)
    assert counts(batch.run(request(source / "ward/both.hea"))) == (1, 1, 0, 0)
    signals = np.frombuffer((source / "ward/r1.dat").read_bytes(), "<i2")
    (source / "ward/r1.dat").write_bytes((signals // 2).astype("<i2").tobytes())
    assert counts(batch.run(request(source / "ward/both.hea"))) == (1, 0, 1, 0)


def test_a_header_without_its_signals_is_rejected_until_they_arrive(source):
    signals = (source / "ward/r0.dat").read_bytes()
    (source / "ward/r0.dat").unlink()
    assert counts(batch.run(request(source))) == (5, 0, 3, 2)
    (source / "ward/r0.dat").write_bytes(signals)
    assert counts(batch.run(request(source))) == (5, 4, 1, 0)


def test_a_stopped_run_goes_on_after_its_last_part(source, monkeypatch):
    monkeypatch.setattr(batch, "CHUNK", 2)

    def stop(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.run(request(source), stop)
    resumed = batch.run(request(source))
    assert resumed.known == 2
    assert (rows(resumed).height, rows(resumed, "rejects").height) == (4, 1)


def test_another_model_and_other_metadata_have_results_of_their_own(source):
    first = batch.run(request(source))
    stated = batch.run(request(source, metadata=ArrayMetadata(500.0, "mV")))
    shipped = batch.run(batch.Request("embed", str(source), source.parent / "out", "cgdmer-base"))
    assert len({first.folder, stated.folder, shipped.folder}) == 3
    assert shipped.known == 0


def test_scores_have_the_columns_of_the_command(source):
    scored = batch.run(batch.Request("score", str(source), source.parent / "out", "cgdmer-base"))
    assert scored.written == 4
    assert any(name.startswith("probe/ptb_xl_super/") for name in rows(scored).columns)


def test_what_cannot_be_done_is_named(source, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no recording"):
        batch.run(request(tmp_path / "empty"))
    with pytest.raises(ConfigError, match="nowhere"):
        batch.run(request(tmp_path / "nowhere"))
    (tmp_path / "out2").write_text("")
    with pytest.raises(ConfigError, match="no folder"):
        batch.run(batch.Request("embed", str(source), tmp_path / "out2", str(example.model())))
    with pytest.raises(ConfigError, match="kind"):
        batch.run(batch.Request("guess", str(source), tmp_path / "out", str(example.model())))


@pytest.fixture
def edf_source(tmp_path, monkeypatch):
    """A recording that needs a library, and one that is damaged."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    example.edf(tmp_path / "in", "recording", 3)
    example.wfdb(tmp_path / "in", "empty", 4).write_text("empty 12 500 0\n")
    return tmp_path / "in"


def test_a_recording_that_lacked_a_library_is_read_once_it_is_installed(edf_source, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "edfio", None)
        lacking = batch.run(request(edf_source))
    assert counts(lacking) == (2, 0, 0, 2)
    assert (lacking.may_pass, "2 rejected (1 of them may lack a library" in str(lacking)) == (1, True)
    assert counts(batch.run(request(edf_source))) == (2, 1, 1, 0)
    assert counts(batch.run(request(edf_source))) == (2, 2, 0, 0)


def test_what_keeps_failing_waits_for_another_environment_and_is_counted(edf_source, monkeypatch):
    monkeypatch.setitem(sys.modules, "edfio", None)
    rejected = [batch.run(request(edf_source)).rejected for _ in range(kept_parts.TRIES)]
    assert rejected == [2] + [1] * (kept_parts.TRIES - 1)
    waits = batch.run(request(edf_source))
    assert (counts(waits), waits.waiting) == ((2, 2, 0, 0), 1)
    assert "2 known already, 1 given up until cgdmer or edfio, pydicom, wfdb change, 0 written" in str(waits)
    monkeypatch.setattr(kept_parts, "environment", lambda: "cgdmer 9")
    assert counts(batch.run(request(edf_source))) == (2, 1, 0, 1)


def test_rejects_of_an_older_version_are_read_once_more(edf_source):
    first = batch.run(request(edf_source))
    path = first.folder / "rejects-000001.parquet"
    older = pl.read_parquet(path).drop("environment")
    older.write_parquet(path)
    assert counts(batch.run(request(edf_source))) == (2, 1, 0, 1)
    assert counts(batch.run(request(edf_source))) == (2, 2, 0, 0)


@pytest.fixture
def store(source, monkeypatch):
    """An S3 store with the recordings in the bucket `ecg`, below `ward/`."""
    for name, value in example.S3.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="ecg")
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            client.upload_file(str(path), "ecg", f"ward/{path.relative_to(source)}")
        client.put_object(Bucket="ecg", Key="ward2/rec.edf", Body=b"of another ward")
        yield client


def test_a_bucket_is_read_once_and_then_only_where_it_changed(source, store, monkeypatch):
    bucket_request = batch.Request("embed", "s3://ecg/ward", source.parent / "out", str(example.model()))
    first = batch.run(bucket_request)
    assert counts(first) == (5, 0, 4, 1)
    assert "s3://ecg/ward/array.npy" in rows(first)["id"].to_list()
    downloads = []
    plain = bucket._download
    monkeypatch.setattr(bucket, "_download", lambda *words: (downloads.append(words[2]), plain(*words)))
    assert counts(batch.run(bucket_request)) == (0, 0, 0, 0)
    example.wfdb(source / "new", "rec", 5)
    for name in ("rec.hea", "r5.dat"):
        store.upload_file(str(source / "new" / name), "ecg", f"ward/new/{name}")
    assert counts(batch.run(bucket_request))[2] == 1
    assert sorted(downloads) == ["new/r5.dat", "new/rec.hea"]
    assert not list(first.folder.glob("bucket/*/download"))


def test_two_prefixes_share_an_output_but_no_downloads(source, store):
    store.upload_file(str(source / "array.npy"), "ecg", "ward2/array.npy")
    store.upload_file(str(source / "array.json"), "ecg", "ward2/array.json")
    ward, other = (
        batch.Request("embed", f"s3://ecg/{name}", source.parent / "out", str(example.model()))
        for name in ("ward", "ward2")
    )

    def stop(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.run(ward, stop)
    assert batch.run(other).found == 2, "its own objects, without what the stopped run had downloaded"
    assert batch.run(ward).found == 5
    assert (batch.run(other).found, batch.run(ward).found) == (0, 0), "nothing has changed in either"


def test_a_changed_segment_in_a_bucket_brings_the_header_that_names_it(source, store):
    for number in (0, 1):
        example.wfdb(source / "long", f"part{number}", number)
    (source / "long/both.hea").write_text("both/2 12 500 5000\npart0 2500\npart1 2500\n")
    example.wfdb(source / "long", "other", 4)
    for path in sorted((source / "long").iterdir()):
        store.upload_file(str(path), "ecg", f"long/{path.name}")
    asked = batch.Request("embed", "s3://ecg/long", source.parent / "out", str(example.model()))
    assert counts(batch.run(asked)) == (4, 0, 4, 0)
    signals = np.frombuffer((source / "long/r1.dat").read_bytes(), "<i2")
    store.put_object(Bucket="ecg", Key="long/r1.dat", Body=(signals // 2).astype("<i2").tobytes())
    assert counts(batch.run(asked)) == (4, 2, 2, 0), "the whole record, and the segment as a recording of its own"
    assert counts(batch.run(asked)) == (0, 0, 0, 0)


def test_objects_that_lacked_a_library_are_downloaded_again(source, store, monkeypatch):
    example.edf(source, "recording", 6)
    store.upload_file(str(source / "recording.edf"), "ecg", "ward/recording.edf")
    asked = batch.Request("embed", "s3://ecg/ward", source.parent / "out", str(example.model()))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "edfio", None)
        assert counts(batch.run(asked)) == (6, 0, 4, 2)
    assert counts(batch.run(asked)) == (2, 0, 1, 1), "the damaged one is read once, too, now that edfio is there"
    assert counts(batch.run(asked)) == (0, 0, 0, 0)


def test_objects_that_were_given_up_are_counted_although_they_are_not_downloaded(source, store, monkeypatch):
    example.edf(source, "recording", 6)
    store.upload_file(str(source / "recording.edf"), "ecg", "ward/recording.edf")
    asked = batch.Request("embed", "s3://ecg/ward", source.parent / "out", str(example.model()))
    monkeypatch.setitem(sys.modules, "edfio", None)
    for _ in range(kept_parts.TRIES):
        assert batch.run(asked).waiting == 0
    given_up = batch.run(asked)
    assert (counts(given_up), given_up.waiting) == ((0, 0, 0, 0), 2), "both files need edfio"


@pytest.mark.parametrize(
    ("address", "keys", "names"),
    [
        ("s3://ecg/x/a.npy", ["x/a.npy/a.npy"], {"a.npy": "x/a.npy/a.npy"}),
        ("s3://ecg/x/a.npy", ["x/a.npy", "x/a.npy/a.npy"], {"a.npy": "x/a.npy"}),
        ("s3://ecg/x", ["x//a.npy", "x/b.npy"], {"a.npy": "x//a.npy", "b.npy": "x/b.npy"}),
        ("s3://ecg/x/", ["x/a.npy"], {"a.npy": "x/a.npy"}),
    ],
)
def test_objects_are_asked_for_by_their_own_keys(store, tmp_path, address, keys, names):
    for key in keys:
        store.put_object(Bucket="ecg", Key=key, Body=key.encode())
    with bucket.downloaded(address, tmp_path / "bucket") as local:
        assert {name: (local / name).read_text() for name in os.listdir(local) if not name.startswith(".")} == names


def test_errors_of_a_bucket_say_what_to_do(source, store):
    def ask(address):
        return batch.run(batch.Request("embed", address, source.parent / "out", str(example.model())))

    with pytest.raises(DataError, match="NoSuchBucket"):
        ask("s3://absent/ward")
    with pytest.raises(DataError, match="no object"):
        ask("s3://ecg/nothing")
    with pytest.raises(ConfigError, match="s3://"):
        ask("s3://")


def test_a_store_that_does_not_answer_may_answer_later(source, monkeypatch):
    for name, value in (example.S3 | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(bucket, "TRIES", 1)
    with pytest.raises(Unavailable, match="does not answer"):
        batch.run(batch.Request("embed", "s3://ecg/ward", source.parent / "out", str(example.model())))
