"""Limits over all leads: the medians of a beat's limits, for waves that half of the leads have."""

from benchmarks.delineation import over_leads
from cgdmer.external.annotations import Wave

FS = 1000.0


def leads(*shifts, kind="qrs", peak=500):
    """Return a lead for each shift, with one wave 50 samples to each side of its peak; None for a lead without it."""
    return {
        str(number): [] if shift is None else [Wave(kind, peak - 50 + shift, peak + shift, peak + 50 + shift)]
        for number, shift in enumerate(shifts)
    }


def joined(*parts):
    return {lead: sorted((w for part in parts for w in part[lead]), key=lambda wave: wave.peak) for lead in parts[0]}


def test_limits_are_medians_over_the_leads():
    assert over_leads(leads(-10, 0, 40), FS) == {"all leads": [Wave("qrs", 450, 500, 550)]}


def test_beats_and_kinds_are_kept_apart():
    both = joined(leads(0, 4, 2), leads(0, 4, 2, peak=1300), leads(0, 4, 2, kind="t", peak=800))
    assert [(wave.kind, wave.peak) for wave in over_leads(both, FS)["all leads"]] == [
        ("qrs", 502), ("t", 802), ("qrs", 1302),
    ]  # fmt: skip


def test_a_wave_that_few_of_the_delineated_leads_have_does_not_count():
    rest = leads(0, 0, 0, 0, None)
    few, half = leads(0, None, None, None, None, peak=1300), leads(0, 0, None, None, None, peak=1300)
    assert [wave.peak for wave in over_leads(joined(rest, few), FS)["all leads"]] == [500]
    assert [wave.peak for wave in over_leads(joined(rest, half), FS)["all leads"]] == [500, 1300]


def test_nothing_delineated_gives_no_wave():
    assert over_leads(leads(None, None), FS) == {"all leads": []}
