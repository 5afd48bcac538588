"""Masks: exact counts, limb leads together, padding neither seen nor asked for."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from cgdmer.models import masking
from cgdmer.settings import Masking
from cgdmer.signals.leads import LIMB

LEADS = 12


def noise_of(records, columns, seed=0, leads=LEADS):
    return masking.draw_noise(records, leads, columns, 16, torch.Generator().manual_seed(seed))


def whole(records, columns):
    return torch.ones(records, LEADS, columns, dtype=torch.bool)


def seen(mask, columns):
    """Visible tokens as (B, 12, N)."""
    visible = torch.ones_like(mask.ids_keep, dtype=torch.bool) if mask.attention_mask is None else mask.attention_mask
    grid = torch.zeros(len(visible), LEADS * columns, dtype=torch.bool)
    return grid.scatter(1, mask.ids_keep, visible).view(len(visible), LEADS, columns)


@limits(max_examples=60)
@given(
    kind=st.sampled_from(["random", "spatial", "temporal", "spatiotemporal"]),
    joint=st.booleans(),
    ratio=st.sampled_from([0.1, 0.3, 0.5, 0.75, 0.9]),
    columns=st.integers(1, 13),
    short=st.integers(1, 13),
    absent=st.sets(st.integers(0, 11), max_size=11),
    seed=st.integers(0, 10_000),
)
def test_counts_are_exact_whatever_is_padded_or_missing(kind, joint, ratio, columns, short, absent, seed):
    valid = whole(3, columns)
    valid[1, :, min(short, columns) :] = False
    valid[2, sorted(absent)] = False
    settings = Masking(kind=kind, joint_limb=joint, ratio=ratio)
    mask = masking.sample_mask(valid, noise_of(3, columns, seed), settings, full=False)
    visible = seen(mask, columns)
    for record, allowed in zip(visible, valid, strict=True):
        kept = max(1, round(int(allowed.any(0).sum()) * (1 - ratio)))
        assert record.sum() == kept * allowed.any(1).sum()
        assert not (record & ~allowed).any()
    assert torch.equal(mask.hidden.view_as(valid), valid & ~visible)
    if joint:
        limb = visible[:, :LIMB] | ~valid[:, :LIMB]
        assert torch.equal(limb.all(1) | (limb == ~valid[:, :LIMB]).all(1), torch.ones(3, columns, dtype=torch.bool))


@limits(max_examples=300)
@example(kind="spatiotemporal", joint=True, percent=95, columns=50, seed=0)
@example(kind="random", joint=False, percent=95, columns=50, seed=0)
@given(
    kind=st.sampled_from(["random", "spatial", "temporal", "spatiotemporal"]),
    joint=st.booleans(),
    percent=st.integers(0, 99),
    columns=st.integers(1, 100),
    seed=st.integers(0, 10_000),
)
def test_each_token_of_a_full_record_is_either_visible_or_hidden(kind, joint, percent, columns, seed):
    settings = Masking(kind=kind, joint_limb=joint, ratio=percent / 100)
    mask = masking.sample_mask(whole(4, columns), noise_of(4, columns, seed), settings, full=True)
    visible = seen(mask, columns)
    assert torch.equal(visible, ~mask.hidden.view_as(visible))
    assert visible.sum((1, 2)).tolist() == [mask.ids_keep.shape[1]] * 4


def test_counts_of_single_records_and_of_batches_are_rounded_alike():
    counts = torch.arange(101)
    for percent in range(100):
        for share in (percent / 100, 1 - percent / 100):
            expected = [masking.rounded_share(count, share) for count in counts.tolist()]
            assert masking.rounded_shares(counts, 100, share).tolist() == expected


def test_spatial_hides_whole_chest_leads_and_temporal_whole_columns():
    spatial = seen(masking.sample_mask(whole(64, 8), noise_of(64, 8), Masking(kind="spatial"), full=True), 8)
    chest = spatial[:, LIMB:].float().mean(2)
    partly = ((chest > 0) & (chest < 1)).sum(1)
    assert partly.max() <= 1  # only the lead at the edge of the budget may be cut
    temporal = seen(masking.sample_mask(whole(64, 8), noise_of(64, 8), Masking(kind="temporal"), full=True), 8)
    assert torch.equal(temporal.any(1), temporal.all(1))


def test_mixture_uses_each_kind_for_about_a_third_of_the_records():
    noise = noise_of(600, 8)
    mixed = seen(masking.sample_mask(whole(600, 8), noise, Masking(kind="spatiotemporal"), full=True), 8)
    for kind in masking.KINDS:
        same = seen(masking.sample_mask(whole(600, 8), noise, Masking(kind=kind), full=True), 8)
        assert 0.25 < (same == mixed).all(2).all(1).float().mean() < 0.45


def test_independent_limb_masks_leave_two_limb_leads_visible_as_often_as_the_protocol_says():
    """docs/protocols.md G.22: 47 % of time steps at 75 % masking, 89 % at 50 %."""
    for ratio, share in ((0.75, 0.47), (0.5, 0.89)):
        mask = masking.sample_mask(
            whole(2000, 20), noise_of(2000, 20), Masking(kind="random", ratio=ratio, joint_limb=False), full=True
        )
        two = (seen(mask, 20)[:, :LIMB].sum(1) >= 2).float().mean()
        assert two == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("settings", [Masking(kind="none"), Masking(ratio=0.0)])
def test_masking_switched_off_shows_all_and_asks_for_nothing(settings):
    mask = masking.sample_mask(whole(2, 5), noise_of(2, 5), settings, full=True)
    assert seen(mask, 5).all()
    assert not mask.hidden.any()


def test_noise_of_a_batch_is_sliced_by_record_not_redrawn():
    whole_batch, again = noise_of(8, 4, seed=3), noise_of(8, 4, seed=3)
    assert all(torch.equal(whole_batch[name][3:5], again[name][3:5]) for name in whole_batch)


@limits(max_examples=40)
@given(lengths=st.lists(st.integers(0, 12), min_size=1, max_size=6), ratio=st.floats(0.05, 0.9))
def test_hidden_words_count_exactly_and_never_hit_marks_or_padding(lengths, ratio):
    content = torch.arange(14)[None] < torch.tensor(lengths)[:, None]
    content = torch.cat([torch.zeros(len(lengths), 1, dtype=torch.bool), content], 1)
    noise = torch.rand(len(lengths), 20, generator=torch.Generator().manual_seed(1))
    positions, hidden = masking.sample_hidden_words(content, noise, ratio)
    for row, length in enumerate(lengths):
        chosen = positions[row][hidden[row]]
        assert len(chosen) == min(length, max(1, round(length * ratio)))
        assert content[row, chosen].all()
        assert len(chosen.unique()) == len(chosen)


def written(*reports, width=12):
    """Reports as lists of statements: a first mark 1, a period 2 after each statement, a last mark 3, padding 0."""
    rows = [[1, *(token for statement in report for token in (*statement, 2)), 3] for report in reports]
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def some(ids, share, seed=0):
    noise = masking.draw_noise(len(ids), 12, 4, ids.shape[1], torch.Generator().manual_seed(seed))
    return masking.drop_statements(ids, ids == 2, (ids == 1) | (ids == 3), 0, noise, share)


def test_reports_lose_whole_statements_and_keep_their_order():
    ids = written([[5, 6], [7], [8, 9]]).repeat(300, 1)
    shortened = [tuple(row[row != 0].tolist()) for row in some(ids, 1.0)]
    possible = {
        (5, 6, 2),
        (7, 2),
        (8, 9, 2),
        (5, 6, 2, 7, 2),
        (5, 6, 2, 8, 9, 2),
        (7, 2, 8, 9, 2),
        (5, 6, 2, 7, 2, 8, 9, 2),
    }
    assert {row[1:-1] for row in shortened} == possible
    assert all(row[0] == 1 and row[-1] == 3 for row in shortened)
    assert sum(row[1:-1] == (5, 6, 2, 7, 2, 8, 9, 2) for row in shortened) == pytest.approx(100, abs=30)


def test_the_share_says_how_many_reports_stay_whole():
    ids = written([[5], [6], [7], [8]]).repeat(2000, 1)
    whole_ones = (some(ids, 0.5) == ids).all(1).float().mean()
    assert whole_ones == pytest.approx(0.5 + 0.5 / 4, abs=0.03)
    assert torch.equal(some(ids, 0.0), ids)


def test_a_report_without_a_period_and_an_empty_one_keep_their_words():
    ids = torch.tensor([[1, 5, 6, 3, 0, 0], [1, 3, 0, 0, 0, 0]])
    assert torch.equal(some(ids, 1.0), ids)
