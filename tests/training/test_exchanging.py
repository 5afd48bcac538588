"""Records with exchanged electrodes: their leads, report, statements and measured values; the others are untouched."""

import numpy as np
import pytest
import torch
from support import example_pool as example

from cgdmer import paths, report_text, settings
from cgdmer.models import tokens
from cgdmer.objectives.targets import AMPLITUDES, MEASUREMENTS
from cgdmer.shards import open_shards
from cgdmer.training.exchanges import reported
from cgdmer.training.exchanging import AXIS, Exchanging, exchanging
from cgdmer.training.records import Records

RECORDS, STEP = 80, np.array([5, 0, 3, 8, 61, 70, 33, 12])


class Measured(Records):
    """Records with measurements and amplitudes, as a stream has them."""

    def __call__(self, positions, step=None):
        batch = super().__call__(positions, step)
        batch["measurements"] = torch.ones(len(positions), len(MEASUREMENTS))
        batch["amplitudes"] = torch.zeros(len(positions), len(AMPLITUDES))
        return batch


def measure(signal, valid, missing):
    """Return the mean of each lead, and zeros as the other amplitudes."""
    means = signal.mean(2) * ~missing * (valid[:, None] > 0)
    return np.pad(means, ((0, 0), (0, len(AMPLITUDES) - 12))).astype(np.float32)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    example.write(folder)
    shards = open_shards(folder / paths.shards("mimic_iv_ecg"))
    tokenizer = tokens.train(shards.reports()[0], 128, 32)
    return Measured(shards, np.arange(96), tokenizer, statements=True)


@pytest.fixture
def exchanged(source):
    return lambda probability, **options: Exchanging(
        source, RECORDS, probability, 7, source.statements.tokenizer, measure=measure, **options
    )


def words(batch, source):
    """Return the tokens of each report without padding."""
    return [[token for token in row if token != source.pad] for row in batch["tokens"].tolist()]


def test_leads_and_what_depends_on_them_are_those_of_the_exchange(source, exchanged):
    always = exchanged(1.0)
    before, after, drawn = source(STEP), always(STEP), always.draw(STEP)
    assert set(drawn) == set(STEP.tolist())
    assert {exchange.on_limbs for exchange, _ in drawn.values()} == {True, False}
    for row, position in enumerate(STEP.tolist()):
        sources, signs = drawn[position].exchange.leads
        expected = before["signal"][row].numpy()[sources] * signs[:, None]
        assert np.array_equal(after["signal"][row].numpy(), expected)
        assert after["signal"].dtype == torch.int16
        axis_unknown = after["measurements"][row].isnan()
        assert axis_unknown.nonzero().flatten().tolist() == (AXIS if drawn[position].exchange.on_limbs else [])
    everything = [after[name].numpy() for name in ("signal", "valid", "missing")]
    assert after["amplitudes"].any()
    np.testing.assert_array_equal(after["amplitudes"].numpy(), measure(*everything))


def test_a_lead_is_missing_if_the_lead_that_it_shows_is(source, exchanged, monkeypatch):
    always = exchanged(1.0)
    lost = torch.zeros(len(STEP), 12, dtype=torch.bool)
    lost[:, 2] = True
    monkeypatch.setattr(always, "source", lambda positions, step: {**source(positions, step), "missing": lost.clone()})
    always.statements = None
    missing = always(STEP)["missing"]
    for row, position in enumerate(STEP.tolist()):
        assert missing[row].tolist() == [lead == 2 for lead in always.draw(STEP)[position].exchange.leads[0]]


def test_reports_and_statements_are_those_of_the_exchange(source, exchanged):
    some = exchanged(0.5)
    before, after, drawn = source(STEP), some(STEP), some.draw(STEP)
    assert 0 < len(drawn) < len(STEP)
    texts = source.texts(STEP)
    tokenizer = source.statements.tokenizer
    changed = [
        reported(text, *drawn[position]) if position in drawn else text
        for position, text in zip(STEP.tolist(), texts, strict=True)
    ]
    expected = [[token for token in row if token != tokenizer.pad] for row in tokenizer(changed).tolist()]
    assert words(after, source) == expected
    assert after["tokens"].shape[1] == -(-max(map(len, expected)) // 8) * 8
    distinct = sorted({statement for text in changed for statement in report_text.statements(text)})
    stated = [[statement in report_text.statements(text) for statement in distinct] for text in changed]
    assert after["stated"].tolist() == stated
    for row, position in enumerate(STEP.tolist()):
        same = position not in drawn
        assert bool(after["report"][row] == before["report"][row]) is same
        assert torch.equal(after["signal"][row], before["signal"][row]) is same


def test_equal_reports_have_equal_numbers(source, exchanged):
    always = exchanged(1.0)
    batch, drawn = always(np.arange(RECORDS)), always.draw(np.arange(RECORDS))
    texts = [reported(text, *drawn[k]) for k, text in enumerate(source.texts(np.arange(RECORDS)))]
    assert len(set(texts)) < len(texts)
    assert len(set(batch["report"].tolist())) == len(set(texts))
    assert len(set(zip(texts, batch["report"].tolist(), strict=True))) == len(set(texts))


def test_parts_of_a_step_are_those_of_the_whole(exchanged):
    some = exchanged(0.5)
    whole, parts = some(STEP), [some(STEP[:3], STEP), some(STEP[3:], STEP)]
    for name in ("signal", "missing", "report", "stated", "amplitudes"):
        assert torch.equal(torch.cat([part[name] for part in parts]), whole[name]), name
    assert all(torch.equal(part["statement_tokens"], whole["statement_tokens"]) for part in parts)


def test_draws_differ_between_steps_and_repeat_in_a_step(exchanged):
    some, again = exchanged(0.5), exchanged(0.5)
    assert some.draw(STEP) == again.draw(STEP)
    assert some.draw(STEP) != some.draw(STEP[::-1])


def test_held_out_records_stay_as_they_are(source, exchanged):
    held_out = np.arange(RECORDS, 96)
    batch, expected = exchanged(1.0)(held_out), source(held_out)
    assert batch.keys() == expected.keys()
    for name in ("signal", "tokens", "report", "stated"):
        assert torch.equal(batch[name], expected[name])


def test_a_compiled_model_gets_few_widths(source, exchanged):
    batch = exchanged(1.0, few_widths=True)(STEP)
    assert batch["tokens"].shape[1] == 32
    assert max(map(len, words(batch, source))) <= 32


@pytest.mark.parametrize("few_widths", [False, True])
def test_no_report_and_no_statement_is_wider_than_the_model_reads(source, few_widths):
    shards, length = source.pairs.shards, 12
    tokenizer = tokens.train(shards.reports()[0], 128, length)
    records = Records(shards, np.arange(96), tokenizer, statements=True, few_widths=few_widths)
    batch = Exchanging(records, RECORDS, 0.5, 7, tokenizer, few_widths=few_widths)(STEP)
    assert batch["tokens"].shape[1] == batch["statement_tokens"].shape[1] == length
    assert records(STEP)["statement_tokens"].shape[1] == length


def test_records_whose_reports_nobody_reads_have_their_leads_exchanged(source):
    blind = Exchanging(source, RECORDS, 1.0, 7, None, measure=measure)
    batch, expected = blind(STEP), source(STEP)
    assert torch.equal(batch["tokens"], expected["tokens"])
    assert not torch.equal(batch["signal"], expected["signal"])


def test_the_setting_decides(source):
    tokenizer, train = source.statements.tokenizer, settings.Train(seed=3)
    assert exchanging(source, RECORDS, settings.Augmentation(), train, tokenizer) is source
    chosen = settings.Augmentation(exchanged_electrodes=0.1)
    assert not chosen.on
    assert exchanging(source, RECORDS, chosen, train, tokenizer).probability == 0.1
