"""A change of profile keeps the user's edits of `params.yaml` and names each of them."""

import os
from pathlib import Path

import pytest

from cgdmer import cli, settings
from cgdmer.errors import ConfigError
from cgdmer.settings import profiles

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project with the demo and two profiles; `params.yaml` is the demo."""
    (tmp_path / "params").mkdir()
    demo = (ROOT / "params/demo.yaml").read_text()
    (tmp_path / "params/demo.yaml").write_text(demo)
    (tmp_path / "params.yaml").write_text(demo)
    (tmp_path / "params/quick.yaml").write_text("train: {epochs: 1, batch: 16}\n")
    (tmp_path / "params/slow.yaml").write_text("train: {epochs: 100}\nmodel: {width: 192}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(old: str, new: str) -> None:
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new))


def test_edits_survive_every_change_of_profile_and_are_named(project):
    edit("seed: 7\n", "seed: 9\n")
    edit("benchmarks:\n  - ptb_xl\n  - cpsc2018\n  - csn\n", "benchmarks: [ptb_xl]\n")
    for name, epochs in (("quick", 1), ("slow", 100), ("demo", 8), ("demo", 8)):
        message = profiles.switch(name)
        assert message.splitlines()[:2] == ["kept your matrix.benchmarks: [ptb_xl]", "kept your train.seed: 9"]
        chosen = settings.load()
        assert (chosen.train.seed, chosen.train.epochs, chosen.matrix.benchmarks) == (9, epochs, ["ptb_xl"])


def test_edits_of_a_profile_are_compared_with_that_profile(project):
    assert "kept" not in profiles.switch("quick")
    edit("batch: 16", "batch: 24")
    assert profiles.switch("quick").splitlines()[0] == "kept your train.batch: 24"
    assert settings.load().train.batch == 24
    profiles.switch("slow", "keep")
    assert (settings.load().train.batch, settings.load().train.epochs) == (24, 100)


def test_a_key_that_both_change_is_left_to_the_user(project):
    edit("epochs: 8", "epochs: 4")
    edit("  width: 96\n", "  width: 192\n")
    before = Path("params.yaml").read_text()
    with pytest.raises(ConfigError) as caught:
        profiles.switch("slow")
    for part in ("train.epochs: yours is 4, the profile's is 100", "--keep", "--discard"):
        assert part in str(caught.value)
    assert "width" not in str(caught.value)
    assert Path("params.yaml").read_text() == before
    edit("seed: 7\n", "seed: 9\n")
    message = profiles.switch("slow", "discard")
    assert message.splitlines()[:2] == ["kept your train.seed: 9", "discarded your train.epochs: 4"]
    assert (settings.load().train.epochs, settings.load().train.seed, settings.load().model.width) == (100, 9, 192)


def test_the_flags_of_the_command(project, capsys):
    edit("epochs: 8", "epochs: 4")
    assert cli.main(["profile", "slow"]) == 2
    assert "train.epochs" in capsys.readouterr().err
    assert cli.main(["profile", "slow", "--keep"]) == 0
    assert "kept your train.epochs: 4" in capsys.readouterr().out
    assert settings.load().train.epochs == 4
    assert cli.main(["profile", "quick", "--discard"]) == 0
    assert "discarded your train.epochs: 4" in capsys.readouterr().out
    assert settings.load().train.epochs == 1


def test_discard_drops_edits_of_every_key_that_the_profile_sets(project, capsys):
    edit("epochs: 8", "epochs: 9")
    edit("seed: 7\n", "seed: 9\n")
    assert cli.main(["profile", "demo", "--discard"]) == 0
    said = sorted(capsys.readouterr().out.splitlines()[:2])
    assert said == ["discarded your train.epochs: 9", "discarded your train.seed: 9"]
    assert Path("params.yaml").read_text() == Path("params/demo.yaml").read_text()
    profiles.switch("quick")
    edit("batch: 16", "batch: 24")
    edit("seed: 7\n", "seed: 9\n")
    message = profiles.switch("quick", "discard").splitlines()
    assert sorted(message[:2]) == ["discarded your train.batch: 24", "kept your train.seed: 9"]
    assert (settings.load().train.batch, settings.load().train.seed) == (16, 9)


def test_removed_and_added_keys_are_edits_too(project):
    base = settings.read(Path("params/demo.yaml"))
    mine = {**base, "protocol": {"way": "none"}, "embed": {**base["embed"], "new": {"a": {"b": [1]}}}}
    merged, lines = profiles.merge(base, mine, profiles.read("quick"), None)
    assert lines == ["kept your protocol.url: (absent)", "kept your embed.new.a.b: [1]"]
    assert (merged["protocol"], merged["embed"]) == (mine["protocol"], mine["embed"])
    assert merged["train"]["epochs"] == 1


def test_text_is_kept_where_no_key_changes_and_lost_comments_are_named(project):
    edit("matrix:\n", "# mine\nmatrix:\n")
    before = Path("params.yaml").read_text()
    assert profiles.switch("demo") == "params.yaml is the demo profile; next: dvc repro"
    assert Path("params.yaml").read_text() == before
    assert "lost your comment: # mine" in profiles.switch("quick")
    edit("matrix:\n", "# of quick\nmatrix:\n")
    before = Path("params.yaml").read_text()
    assert "lost" not in profiles.switch("quick")
    assert Path("params.yaml").read_text() == before
    assert "lost your comment: # of quick" in profiles.switch("demo")
    assert Path("params.yaml").read_text() == Path("params/demo.yaml").read_text()


def test_values_that_a_command_adapts_are_not_edits(project):
    adapted = profiles.Adaptation({"matrix": {"benchmarks": ["csn"]}}, ["left out: ptb_xl"])
    assert profiles.switch("quick", adapt=lambda _: adapted).splitlines()[0] == "left out: ptb_xl"
    assert settings.load().matrix.benchmarks == ["csn"]
    assert "kept" not in profiles.switch("quick")
    assert settings.load().matrix.benchmarks == ["ptb_xl", "cpsc2018", "csn"]


def test_a_file_that_cannot_be_read_or_has_wrong_keys_is_not_overwritten(project):
    for text in ("a: [", Path("params/demo.yaml").read_text().replace("epochs: 8", "epoch: 8")):
        Path("params.yaml").write_text(text)
        with pytest.raises(ConfigError, match=r"params\.yaml"):
            profiles.switch("quick")
        assert Path("params.yaml").read_text() == text


def test_a_link_or_pipe_is_not_replaced(project):
    for make in (lambda path: path.symlink_to("nowhere"), os.mkfifo):
        Path("params.yaml").unlink()
        make(Path("params.yaml"))
        with pytest.raises(ConfigError, match=r"params\.yaml (is missing|cannot be read)"):
            profiles.switch("quick")
        assert not Path("params.yaml").is_file()


def test_values_of_this_machine_in_the_first_line_are_bounded(project):
    bomb = ", ".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    text = f"{profiles.ADAPTED}{{a0: &a0 [x], {bomb}}}\n" + Path("params.yaml").read_text()
    for line in (text, f"{profiles.ADAPTED}&a {{a: *a}}\n" + Path("params/demo.yaml").read_text()):
        Path("params.yaml").write_text(line)
        profiles.switch("quick", "discard")
        assert settings.load().train.epochs == 1
