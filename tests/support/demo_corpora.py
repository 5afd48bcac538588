"""Small simulated corpora, written once per test session, and functions that read them back."""

import functools
import tempfile
import zipfile
from pathlib import Path

from cgdmer import datasets
from cgdmer import demo_corpora as simulated
from cgdmer.archives import open_archive
from cgdmer.settings import Corpus, Index
from cgdmer.waveforms import read_record

RECORDS, SEED = 48, 5


@functools.cache
def folder():
    """Return a folder that is removed when this process ends."""
    return tempfile.TemporaryDirectory(prefix="demo")


@functools.cache
def corpus(name):
    """Return the zip of a source."""
    path = Path(folder().name) / f"{name}.zip"
    simulated.write(name, path, Corpus(records=RECORDS, seed=SEED))
    return path


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


def indexed(name, path):
    with open_archive(path) as archive:
        module = datasets.module(name)
        return module.read_index(module.find(archive), corpus=Corpus(), index=Index(), protocol=None)


def recordings(name, path):
    with open_archive(path) as archive:
        rooted = datasets.module(name).find(archive)
        return {member: read_record(rooted, member) for member in rooted.names() if member.endswith(".hea")}
