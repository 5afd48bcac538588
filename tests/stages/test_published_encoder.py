"""A converted checkpoint goes through the real stages like any other encoder: embed, probe, robustness, report."""

import json

import pytest
import torch
from support import example_report
from support.example_report import SIGNAL, SOURCE
from support.example_task import TINY_MODEL

from cgdmer import embeddings, paths, settings, stages
from cgdmer.conversion.convert import convert
from cgdmer.encoders import published

NAME = "merl_resnet18"


@pytest.mark.long
def test_a_converted_checkpoint_is_embedded_probed_disturbed_and_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example_report.write()
    torch.manual_seed(0)
    torch.save(published.card(NAME).network().state_dict(), "res18_best_encoder.pth")
    made = convert(tmp_path / "res18_best_encoder.pth", NAME, tmp_path / "data/outside" / NAME)
    embed = settings.Embed(outside={NAME: {"file": f"data/outside/{NAME}", "sha256": made.sha256}}, batch=32)
    probe = settings.Probe(fractions=[1.0], seeds=1, C=[0.01, 1.0], bootstrap=20)
    stages.find("embed")(NAME, SOURCE, embed=embed, model=TINY_MODEL, signal=SIGNAL)
    assert embeddings.origin(paths.embeddings(NAME, SOURCE)).title == published.card(NAME).title
    stages.find("probe")(NAME, SOURCE, probe=probe)
    robustness = settings.Robustness(lead_sets=[["I"]], disturbances=[])
    sections = {"embed": embed, "model": TINY_MODEL, "probe": probe, "signal": SIGNAL}
    stages.find("robustness")(NAME, SOURCE, robustness=robustness, **sections)
    matrix = example_report.MATRIX.model_copy(update={"probed": ["cgdmer", NAME], "robustness": [NAME]})
    stages.find("report")(report=settings.Report(), matrix=matrix)
    numbers = json.loads(paths.METRICS.read_text())
    assert set(numbers["auroc"]["ptb_xl_super"]["1.0"][NAME]) == {"pooled"}
    assert set(numbers["conditions"]["ptb_xl_super"]) == {NAME}
    assert numbers["seen_by"] == {NAME: []}
    assert "MERL ResNet18" in paths.REPORT_MD.read_text()
