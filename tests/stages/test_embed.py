"""Stage embed: the same features whatever the batch, resumed after a kill, only for records that belong to a split."""

import contextlib
import os
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from support import example_pool as example
from support.edited_code import edit
from support.forked import fork_processes

from cgdmer import embeddings, encoders, paths, settings
from cgdmer.encoders import chunks, handcrafted, pretrained
from cgdmer.errors import CgdmerError, ConfigError, DataError
from cgdmer.models import weights
from cgdmer.shards import manifest
from cgdmer.stages import embed as stage
from cgdmer.stages.embed import embed
from cgdmer.training import World

SOURCE = "ptb_xl"


@pytest.fixture
def folder(tmp_path):
    """Shards and untrained weights, as pretraining would leave them."""
    example.write(tmp_path, SOURCE, records=40)
    _, reports, _ = example.signals(40)
    model = weights.create(example.MODEL, settings.Masking(), settings.Objective(), example.SIGNAL, reports, 0)
    weights.save(tmp_path / paths.MODEL, model, example.SIGNAL, {})
    return tmp_path


def run(folder, encoder="cgdmer", batch=16, signal=example.SIGNAL):
    with contextlib.chdir(folder):
        embed(encoder, SOURCE, embed=settings.Embed(batch=batch), model=example.MODEL, signal=signal)
    return embeddings.read(folder / paths.embeddings(encoder, SOURCE))


def test_features_are_the_encoders_own_record_by_record(folder):
    cached = run(folder)
    encoder = pretrained.open_folder(folder / paths.MODEL)
    microvolt, _, _ = example.signals(40)
    for row in (0, 6, 39):
        valid = 100 if row % 7 == 6 else 200
        alone = encoder.encode(microvolt[row : row + 1, :, :valid].astype(np.float32) / 1000)
        for name, value in alone.items():
            np.testing.assert_allclose(cached.features[name][row], value[0], atol=1e-5)
    assert cached.ids == [f"{SOURCE}-{row:04d}" for row in range(40)]
    assert cached.meta["dims"] == encoder.dims


@pytest.mark.parametrize("encoder", ["cgdmer", "random", "handcrafted"])
def test_the_batch_size_does_not_matter(folder, encoder):
    first = run(folder, encoder, 16).features
    first = {name: np.array(value) for name, value in first.items()}
    second = run(folder, encoder, 7).features
    for name, value in first.items():
        np.testing.assert_allclose(value, second[name], atol=1e-5)


def test_a_random_control_is_embedded_with_each_of_its_sets_of_weights(folder):
    first = run(folder, "random")
    assert first.meta["sets_of_weights"] == 5
    assert run(folder, "handcrafted").meta["sets_of_weights"] == 1
    drawn = [embeddings.read(folder / paths.embeddings("random", SOURCE, weights)) for weights in range(5)]
    assert np.array_equal(drawn[0].features["pooled"], first.features["pooled"])
    assert len({each.features["pooled"][0, 0].item() for each in drawn}) == 5
    assert all(each.ids == first.ids for each in drawn)
    third = encoders.load("random", encoders.Setup(example.SIGNAL, example.MODEL, 2))
    alone = third.encode(example.signals(40)[0][:1].astype(np.float32) / 1000)["pooled"]
    np.testing.assert_allclose(drawn[2].features["pooled"][:1], alone, atol=1e-5)


def die_at(monkeypatch, call):
    """Interrupt the encoding of a chunk, by its number from 1 on; return the records of each chunk that was begun."""
    encode, calls = chunks.encode_chunk, []

    def dying(encoder, shards, chunk, world):
        calls.append(len(chunk))
        if len(calls) == call:
            raise KeyboardInterrupt
        return encode(encoder, shards, chunk, world)

    monkeypatch.setattr(chunks, "encode_chunk", dying)
    return calls


def test_finished_sets_of_weights_are_not_encoded_again(folder, monkeypatch):
    calls = die_at(monkeypatch, call=5)  # in the second set
    with pytest.raises(KeyboardInterrupt):
        run(folder, "random")
    run(folder, "random")
    assert len(calls) == 5 + 5 * 3 - 4
    assert not (folder / paths.scratch("embed", "random", SOURCE)).exists()


def test_a_second_run_writes_the_same_bytes(folder):
    run(folder)
    before = {path.name: path.read_bytes() for path in (folder / paths.embeddings("cgdmer", SOURCE)).iterdir()}
    run(folder)
    assert before == {path.name: path.read_bytes() for path in (folder / paths.embeddings("cgdmer", SOURCE)).iterdir()}


def test_finished_chunks_are_not_computed_again(folder, monkeypatch):
    calls = die_at(monkeypatch, call=3)
    with pytest.raises(KeyboardInterrupt):
        run(folder)
    run(folder)
    assert calls == [16, 16, 8, 8]
    assert not (folder / paths.scratch("embed", "cgdmer", SOURCE)).exists()


@pytest.mark.parametrize(
    ("encoder", "file", "missing"),
    [
        ("handcrafted", "cgdmer/delineation/qrs.py", [16, 16, 8]),
        ("cgdmer", "cgdmer/models/patches.py", [16, 16, 8]),
        ("cgdmer", "cgdmer/delineation/qrs.py", [8]),
        ("handcrafted", "cgdmer/progress.py", [8]),
    ],
)
def test_chunks_of_earlier_code_are_computed_again(folder, monkeypatch, encoder, file, missing):
    calls = die_at(monkeypatch, call=3)
    with pytest.raises(KeyboardInterrupt):
        run(folder, encoder)
    edit(monkeypatch, file)
    run(folder, encoder)
    assert calls[3:] == missing


def test_records_outside_the_splits_are_left_out(folder):
    shards = folder / paths.shards(SOURCE)
    old = manifest.check(shards)
    rows = pl.read_parquet(shards / manifest.ROWS)
    rows = rows.with_columns(split=pl.when(pl.col("id").str.ends_with("3")).then(pl.lit("")).otherwise("split"))
    rows.write_parquet(shards / manifest.ROWS)
    manifest.describe(
        shards, fs=old.fs, samples=old.samples, leads=old.leads, settings={}, shards=old.shards
    )  # fmt: skip
    assert len(run(folder).ids) == 36


def test_missing_weights_and_other_signals_are_refused(folder):
    with pytest.raises(ConfigError, match="no encoder is called 'cgdmr'; did you mean 'cgdmer'"):
        run(folder, "cgdmr")
    with pytest.raises(ConfigError, match=r"reads up to 2\.0 s"):
        run(folder, "random", signal=settings.Signal(fs=50.0, seconds=2.0))
    (folder / paths.MODEL / weights.WEIGHTS).unlink()
    with pytest.raises(DataError, match="dvc repro pretrain"):
        run(folder)


def test_the_shipped_encoder_names_who_trained_it_and_how_to_do_without_it():
    assert stage.origin("cgdmer_base")["trained_on"] == ["simulated recordings"]
    assert stage.origin("cgdmer") is stage.origin("handcrafted") is None
    shipped, shards = SimpleNamespace(name="cgdmer_base", fs=100.0, seconds=10.0), SimpleNamespace(fs=250.0, samples=1)
    with pytest.raises(ConfigError, match="take cgdmer_base out of section matrix"):
        stage.check_form(shipped, shards)


def test_two_processes_write_the_bytes_of_one(folder, monkeypatch):
    run(folder)
    written = folder / paths.embeddings("cgdmer", SOURCE)
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    monkeypatch.setenv("CGDMER_DEVICES", "2")
    fork_processes(monkeypatch)
    run(folder)
    assert before == {path.name: path.read_bytes() for path in written.iterdir()}
    assert not (folder / paths.scratch("embed", "cgdmer", SOURCE)).exists()


class Second(World):
    """The second of two processes, without the first."""

    def barrier(self):
        pass


def test_a_failure_names_process_and_records_and_each_takes_its_share(folder, monkeypatch):
    monkeypatch.setattr(stage, "join", lambda: Second(1, 2, torch.device("cpu")))
    encode, calls = handcrafted.Handcrafted.encode, []

    def fail_at_the_second(self, signal, *arguments, **named):
        calls.append(len(signal))
        if len(calls) == 2:
            raise ValueError("an odd record")
        return encode(self, signal, *arguments, **named)

    monkeypatch.setattr(handcrafted.Handcrafted, "encode", fail_at_the_second)
    with pytest.raises(
        CgdmerError, match="rank 1 of 2: encoder handcrafted failed on records ptb_xl-0021 to"
    ) as caught:
        run(folder, "handcrafted", batch=7)
    assert "ValueError: an odd record" in caught.value.problem
    assert "finished records are kept" in caught.value.fix
    with contextlib.chdir(folder):
        scratch = paths.scratch("embed", "handcrafted", SOURCE)
        (next(scratch.iterdir()) / ".killed while it was written.npy").touch()
        (scratch / "earlier-0").mkdir()
        (scratch / "earlier-0/0.pooled.npy").touch()
        os.utime(scratch / "earlier-0", (0, 0))
        assert stage.unfinished(SOURCE, "handcrafted", 7) == (
            "5 of 6 chunks of ptb_xl have no features, from ptb_xl-0000 to ptb_xl-0006 on"
        )
    with contextlib.chdir(folder):
        chunks = {path.name for path in paths.scratch("embed", "handcrafted", SOURCE).glob("*/[!.]*.npy")}
    assert chunks == {"0.pooled.npy", "7.pooled.npy"}
