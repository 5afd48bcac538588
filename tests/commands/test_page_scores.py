"""What pages say of scores: titles of columns, which ones are listed, and on what encoder and probes were fitted."""

from types import SimpleNamespace

import pytest
from support import example_recordings as example

from cgdmer.commands import provenance, scorer
from cgdmer.commands.page_scores import MOST_LISTED, about
from cgdmer.commands.references import References
from cgdmer.encoders.cgdmer_base import WORD


@pytest.fixture(scope="module")
def base():
    return scorer.prepare(WORD, scorer.ScoreOptions(), 0.0)


def test_the_classes_of_ptb_xl_super_are_listed_and_named_by_their_text(base):
    said = about(base, 2.0)
    listed = {column: title for column, title in said.titles.items() if title.is_listed}
    assert {title.short for title in listed.values()} == {"NORM", "MI", "STTC", "CD", "HYP"}
    norm = listed["probe/ptb_xl_super/NORM"]
    assert (norm.group, norm.name) == ("PTB-XL Super", "normal ecg")
    assert list(said.titles) == base.tasks
    assert "SIMULATED recordings only" in said.warnings[0]
    assert said.warnings[1].startswith("percentiles compare with held-out test records (SIMULATED): ptb_xl_super (")
    assert said.compared == tuple(base.tasks)
    assert said.start == 2.0


def test_cosines_are_no_probabilities_and_few_are_listed():
    small = scorer.prepare(str(example.model()), scorer.ScoreOptions(), 0.0)
    said = about(small, 0.0)
    assert not [title for title in said.titles.values() if title.is_probability]
    assert sum(title.is_listed for title in said.titles.values()) == MOST_LISTED
    assert said.warnings == ()


def test_probes_of_ones_own_labels_come_first_and_say_how_they_are_calibrated(base):
    text = "my: calibrated by `cgdmer fit` on 200 recordings\n  A: 100 of 200 have it"
    own = SimpleNamespace(names=["probe/my/A"], text=lambda: text, prevalences={"A": 0.02})
    origin = provenance.Provenance(provenance.SIMULATED)
    made = SimpleNamespace(encoder=base.encoder, own=own, probes={}, classes=[], tasks=[], origin=origin,
                           references=References())  # fmt: skip
    said = about(made, 0.0)
    assert [title.name for title in said.titles.values() if title.is_listed] == ["A"]
    assert said.warnings == (
        "the encoder was pretrained on simulated recordings",
        "the probe my: calibrated by `cgdmer fit` on 200 recordings",
        "probabilities of A at a prevalence of 2 %",
    )
    made.origin = provenance.Provenance(provenance.UNKNOWN)
    assert about(made, 0.0).warnings[0] == "the encoder was pretrained on recordings of unknown origin"
