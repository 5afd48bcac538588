"""Which probes of simulated labels an evaluation on real recordings may use."""

import json

import pytest

from cgdmer import paths
from cgdmer.acquisition import manifest
from cgdmer.commands.real_methods import Method, probe_files


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose probes of csn and cpsc2018 lie where the stage probe writes them."""
    monkeypatch.chdir(tmp_path)
    for task in ("csn", "cpsc2018"):
        for encoder in ("cgdmer", "handcrafted"):
            path = paths.predictions(encoder, task).parent / f"{task}.probe.safetensors"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"")
    for source, way in (("csn", "simulate"), ("cpsc2018", "local")):
        path = paths.raw(source) / manifest.NAME
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"way": way}))
    return tmp_path


def test_probes_of_this_project_count_where_its_corpus_is_simulated(project):
    methods = {"cgdmer": Method(None, project, project / "none", [])}
    assert list(probe_files("csn", methods, ["random", "handcrafted"])) == ["cgdmer", "handcrafted"]
    assert probe_files("cpsc2018", methods, ["handcrafted"]) == {}, "fitted on local copies of real recordings"
    assert probe_files("rhythm", methods, ["handcrafted"]) == {}, "no task of a benchmark"


def test_a_packaged_encoder_brings_its_own(project):
    probes = project / "base" / "probes"
    probes.mkdir(parents=True)
    (probes / "csn.probe.safetensors").write_bytes(b"")
    methods = {"cgdmer_base": Method(None, project, probes, [])}
    assert probe_files("csn", methods, []) == {"cgdmer_base": probes / "csn.probe.safetensors"}
