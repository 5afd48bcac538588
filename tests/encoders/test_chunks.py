"""Chunks of features on disk: complete or not, joined in order, and named by everything that decides them."""

import contextlib

import numpy as np
import pytest
import torch
from support import example_pool as example

from cgdmer import paths, settings
from cgdmer.distributed import World
from cgdmer.encoders import pretrained
from cgdmer.encoders.chunks import Chunks, assigned, encode_corpus, key
from cgdmer.models import weights
from cgdmer.shards import open_shards

ALONE = World(0, 1, torch.device("cpu"))


@pytest.fixture
def project(tmp_path):
    """Shards and an untrained model, as the working directory."""
    example.write(tmp_path, "ptb_xl", records=20)
    with contextlib.chdir(tmp_path):
        write_model(seed=0)
        yield open_shards(paths.shards("ptb_xl"))


def write_model(seed):
    _, reports, _ = example.signals(20)
    model = weights.create(example.MODEL, settings.Masking(), settings.Objective(), example.SIGNAL, reports, seed)
    weights.save(paths.MODEL, model, example.SIGNAL, {})


def test_chunks_are_complete_with_all_representations_and_join_in_order(tmp_path):
    chunks = Chunks(tmp_path, ["pooled", "shared"])
    for first in (4, 0):
        chunks.write(first, {name: np.full((2, 3), first, np.float32) for name in chunks.names})
    assert chunks.complete(0)
    assert chunks.complete(4)
    chunks.path(4, "shared").unlink()
    assert not chunks.complete(4)
    assert not chunks.complete(8)
    assert Chunks(tmp_path, ["pooled"]).join([0, 4])["pooled"][:, 0].tolist() == [0, 0, 4, 4]


def test_stored_chunks_are_read_and_not_encoded_again(project, tmp_path):
    encoder, records = pretrained.open_folder(paths.MODEL), assigned(project)
    features = encode_corpus(encoder, project, records, 8, tmp_path / "work", ALONE)
    stored = np.zeros((8, encoder.dims["pooled"]), np.float32)
    np.save(tmp_path / "work/8.pooled.npy", stored)
    again = encode_corpus(encoder, project, records, 8, tmp_path / "work", ALONE)
    assert not again["pooled"][8:16].any()
    assert np.array_equal(again["pooled"][:8], features["pooled"][:8])
    assert np.array_equal(again["shared"], features["shared"])


def test_other_weights_have_another_key(project):
    first = pretrained.open_folder(paths.MODEL)
    write_model(seed=1)
    second = pretrained.open_folder(paths.MODEL)
    assert len({key(encoder, project, "", settings.Embed()) for encoder in (first, second)}) == 2
