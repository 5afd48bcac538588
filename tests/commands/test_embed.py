"""`cgdmer embed` streams the pipeline's features, lists rejected recordings, and sets its exit code."""

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from support import demo_corpora, example_pool
from support import example_recordings as example

import cgdmer
from cgdmer import cli, embeddings, paths, settings
from cgdmer.archives import open_archive
from cgdmer.datasets import ptb_xl
from cgdmer.preprocessing import preprocess
from cgdmer.signals import LEADS
from cgdmer.stages.embed import embed as embed_stage


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in one process, in an empty folder."""
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)


def run(*words, command="embed"):
    return cli.main(["--quiet", command, *map(str, words), "--model", str(example.model())])


def records(folder, count=5):
    return [example.wfdb(folder, f"record {number}", seed=number) for number in range(count)]


def features(path="embeddings.parquet"):
    return pl.read_parquet(path)


def test_files_become_rows_in_order_with_the_encoders_own_features(tmp_path):
    files = records(tmp_path / "in")[::-1]
    assert run(*files) == 0
    table, encoder = features(), cgdmer.load_encoder(example.model())
    assert table["id"].to_list() == [str(path) for path in files]
    alone = encoder.encode(cgdmer.read_record(files[1], encoder).signal[None])
    for name, width in encoder.dims.items():
        assert table[name].to_numpy().shape == (5, width)
        np.testing.assert_allclose(table[name].to_numpy()[1], alone[name][0], atol=1e-5)
    assert table["seconds"].to_list() == [4.0] * 5
    assert table["quality"].to_list() == ["ok"] * 5
    meta = json.loads(pq.read_schema("embeddings.parquet").metadata[b"cgdmer"])
    assert meta["encoder_digest"] == encoder.digest
    assert meta["signal"]["fs"] == 50.0
    assert not list(tmp_path.glob("*rejects*"))


def test_a_corpus_record_by_file_equals_its_feature_in_the_pipeline(tmp_path):
    form, source = example_pool.SIGNAL, "ptb_xl"
    index = demo_corpora.indexed(source, demo_corpora.corpus(source)).frame
    with open_archive(demo_corpora.corpus(source)) as archive:
        rooted = ptb_xl.find(archive)
        preprocess(index, rooted, paths.shards(source), tmp_path / "work", form, form.seconds)
    paths.MODEL.parent.mkdir(parents=True)
    paths.MODEL.symlink_to(example.model())
    embed_stage("cgdmer", source, embed=settings.Embed(), model=example_pool.MODEL, signal=form)
    ours = embeddings.read(paths.embeddings("cgdmer", source))
    assert run(demo_corpora.corpus(source), "-o", "own.parquet") == 0
    own = features("own.parquet")
    member = dict(zip(index["member"], index["id"], strict=True))
    top = f"{demo_corpora.corpus(source)}/{rooted.prefix}"
    matched = [
        (row, member[name.removeprefix(top)]) for row, name in enumerate(own["id"]) if name.removeprefix(top) in member
    ]
    assert len(matched) == len(index)
    rows = ours.rows_of([name for _, name in matched])
    for name in ("shared", "specific", "pooled", "aligned"):
        here = own[name].to_numpy()[[row for row, _ in matched]]
        np.testing.assert_allclose(here, ours.features[name][rows], atol=2e-5)


def test_arrays_of_an_earlier_run_are_no_recordings_for_a_search_with_metadata(tmp_path):
    for number in range(len(LEADS)):  # as many as there are leads: then an array of features has the shape of an ECG
        np.save(tmp_path / f"r{number:02}.npy", example.millivolt(number))
    stated = ["--fs", example.FS, "--unit", "mV", "--leads", ",".join(LEADS)]
    assert run(".", *stated, "-o", "made") == 0
    assert (tmp_path / "made" / "pooled.npy").is_file()
    assert run(".", *stated, "-o", "again.parquet") == 0
    assert features("again.parquet")["id"].to_list() == [f"./r{number:02}.npy" for number in range(len(LEADS))]
    np.save(tmp_path / "made" / "own.npy", example.millivolt(0))  # of the user
    assert run(".", *stated, "-o", "third.parquet") == 0
    assert features("third.parquet")["id"].to_list()[0] == "./made/own.npy"


def test_unreadable_ones_are_listed_and_the_rest_is_written(tmp_path):
    files = records(tmp_path / "in", 3)
    (tmp_path / "in" / "r1.dat").write_bytes(b"short")
    (tmp_path / 'a "quoted",\nname.hea').write_text("nonsense")
    assert run(*files, tmp_path / 'a "quoted",\nname.hea', "gone.hea") == 6
    assert features()["id"].to_list() == [str(files[0]), str(files[2])]
    with open("embeddings.rejects.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["path"] for row in rows] == [str(files[1]), str(tmp_path / 'a "quoted",\nname.hea'), "gone.hea"]
    assert [row["reason"].split(" (")[0] for row in rows[1:]] == [
        "record line 'nonsense' has no count of leads",
        "missing",
    ]
    assert "of the 2,500 samples its header states" in rows[0]["reason"]
    (tmp_path / "in" / "r1.dat").unlink()
    assert run(files[0]) == 0
    assert not os.path.exists("embeddings.rejects.csv")


def test_nothing_is_written_where_everything_failed(tmp_path, capsys):
    for name in ("a.hea", "b.hea"):
        (tmp_path / name).write_text("")
    assert run("a.hea", "b.hea") == 3
    message = capsys.readouterr().err
    assert "all 2 recordings could not be used; nothing is written" in message
    assert "the header is empty" in message
    assert not os.path.exists("embeddings.parquet")
    assert (tmp_path / "embeddings.rejects.csv").read_text().count("\n") == 3
    os.mkdir("empty")
    assert run("empty") == 3
    assert "no recording was found in empty" in capsys.readouterr().err


def test_an_empty_folder_is_not_left_where_everything_failed(tmp_path):
    (tmp_path / "broken.edf").write_bytes(b"no EDF")
    assert run("broken.edf", "-o", "features") == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.edf", "features.rejects.csv"]


def test_it_stops_early_where_nothing_can_come_of_it(monkeypatch, capsys):
    from cgdmer.recordings import batches

    seen = []
    monkeypatch.setattr(sys, "stdin", type("In", (), {"buffer": Endless(seen)}))
    assert run("-") == 3
    assert "the first 1024 recordings could not be used" in capsys.readouterr().err
    assert len(seen) < 5
    assert batches.BATCH == 64


class Endless(io.RawIOBase):
    def __init__(self, seen):
        self.seen = seen

    def read(self, size=-1):
        self.seen.append(size)
        start = len(self.seen) * 10_000
        return "".join(f"gone {number}.hea\n" for number in range(start, start + 1000)).encode()


@pytest.mark.parametrize("output", ["out.parquet", "out.csv", "folder"])
def test_a_second_run_gives_the_same_bytes(output, tmp_path):
    files = records(tmp_path / "in", 3)

    def written():
        assert run(*files, "-o", output) == 0
        return {path.name: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}

    assert written() == written()


def test_the_folder_is_one_the_package_reads(tmp_path):
    files = records(tmp_path / "in", 3)
    assert run(*files, "-o", "out") == 0
    assert run(*files, "-o", "out.parquet") == 0
    output = embeddings.read(tmp_path / "out")
    assert output.ids == [str(path) for path in files]
    for name, values in output.features.items():
        assert np.array_equal(values, features("out.parquet")[name].to_numpy())


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-o", "x.xlsx"], 2, "allowed: .parquet, .csv or a folder"),
        (["--seconds", "60"], 2, "1 to 4"),
        (["--fs", "-5"], 2, "--fs 500 --unit mV"),
        (["--leads", "I,Q"], 2, "unknown lead names"),
        (["-o", "in"], 2, "holds other files"),
        (["-o", "no/such/place.parquet"], 0, ""),
        (["-o", ""], 2, "--output is empty"),
        (["--start", "-1"], 2, "seconds from 0"),
        (["--fs", "1e308"], 2, "at most 100,000 Hz"),
        (["-o", "/proc/nothing.parquet"], 3, "cannot be written"),
    ],
)
def test_wrong_words_are_explained(words, code, message, tmp_path, capsys):
    assert run(*records(tmp_path / "in", 1), *words) == code
    assert message in capsys.readouterr().err


def test_workers_change_nothing(tmp_path, monkeypatch):
    files = records(tmp_path / "in", 70)
    assert run(*files, "-o", "one.parquet") == 0
    monkeypatch.setenv("CGDMER_EXECUTOR", "processes")
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    assert run(*files, "-o", "two.parquet") == 0
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_memory_does_not_grow_with_the_number_of_files(tmp_path):
    header = example.wfdb(tmp_path / "in", "r0")
    for number in range(800):
        os.link(header, tmp_path / "in" / f"copy {number}.hea")
    code = (
        "import resource, sys; from cgdmer import cli\n"
        "for count in (100, 800):\n"
        "    paths = [f'in/copy {number}.hea' for number in range(count)]\n"
        "    assert cli.main(['--quiet', 'embed', *paths, '--model', sys.argv[1]]) == 0\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    environment = os.environ | {
        "CGDMER_EXECUTOR": "serial",
        "PYTHONPATH": str(demo_corpora.Path(cgdmer.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(example.model())],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    few, many = (int(line) for line in done.stdout.splitlines() if line.isdigit())
    assert features()["id"].len() == 800
    assert many - few < 25_000, "kilobytes; 700 more decoded recordings would take 84,000"


def test_what_only_measurements_need_is_not_imported_to_encode():
    """Every worker imports the module anew; what imports scipy.signal took 0.7 s of CPU time."""
    script = "import sys, cgdmer.commands.embed; print('torch' in sys.modules, 'scipy.signal' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"]
