"""Profiles: what `params/` ships, and a change of profile that keeps the user's edits of `params.yaml`."""

from pathlib import Path

import pytest

from cgdmer import settings
from cgdmer.encoders import cgdmer_base
from cgdmer.errors import ConfigError
from cgdmer.files import read_json
from cgdmer.settings import profiles

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("profile", ["real", "paper"])
def test_profiles_of_real_corpora_use_the_published_splits(profile):
    overlay = settings.read(ROOT / "params" / f"{profile}.yaml")
    chosen = settings.parse(settings.merge(settings.read(ROOT / "params/demo.yaml"), overlay))
    assert {chosen.corpora[source].splits for source in chosen.matrix.benchmarks} == {"published"}
    assert chosen.matrix.benchmarks == ["ptb_xl", "cpsc2018", "csn"]


@pytest.mark.parametrize("path", sorted((ROOT / "params").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_profile_gives_the_shipped_encoder_signals_of_a_rate_that_it_does_not_read(path):
    chosen = settings.parse(settings.merge(settings.read(ROOT / "params/demo.yaml"), settings.read(path)))
    used = {*chosen.matrix.encoders, *chosen.matrix.controls, *chosen.matrix.probed, *chosen.matrix.robustness}
    reads = read_json(cgdmer_base.FOLDER / "config.json")["signal"]["fs"]
    assert cgdmer_base.NAME not in used or chosen.signal.fs == reads


def test_an_unknown_profile_names_the_others_and_a_folder_without_any_is_the_wrong_one(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError, match=r"(?s)did you mean 'paper'.*allowed: .*demo.*fix: cgdmer profile demo"):
        profiles.read("papre")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"(?s)has no params.*run from the project's root"):
        profiles.read("paper")
