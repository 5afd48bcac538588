"""A source that exchanges electrodes in some of its records and says so in their reports."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch

from cgdmer import settings
from cgdmer.models.cgdmer import Batch
from cgdmer.models.tokens import Tokenizer
from cgdmer.objectives.targets import MEASUREMENTS
from cgdmer.training.exchanges import EXCHANGES, Exchange, reported
from cgdmer.training.loop import Source
from cgdmer.training.records import mix_seed, number_of
from cgdmer.training.statements import Statements
from cgdmer.training.token_rows import padded_for

Measure = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Measures amplitudes (n, M) of signals int16 microvolt (n, 12, T), valid samples (n,) and missing leads (n, 12)."""
AXIS = [MEASUREMENTS.index(name) for name in ("axis_sine", "axis_cosine")]
"""Measurements that are unknown after an exchange on the limbs."""


class Reported(Source, Protocol):
    """A source that knows the reports of its records."""

    def texts(self, positions: np.ndarray) -> list[str]:
        """Return the cleaned reports of the records at `positions`."""


class Drawn(NamedTuple):
    """The exchange of a record in one step, and how its report states it."""

    exchange: Exchange
    wording: str


class Exchanging:
    """A source that exchanges electrodes in each training record with some probability, drawn anew in every step.

    The records of a step decide its draws, so that these do not depend on ranks, micro-batches or resumption. Held-out
    records, from position `records` on, stay as they are.
    """

    def __init__(
        self, source: Reported, records: int, probability: float, seed: int, tokenizer: Tokenizer | None, *,
        measure: Measure | None = None, few_widths: bool = False,
    ) -> None:  # fmt: skip
        """`measure` is needed when the source has amplitudes; `few_widths` as for `Records`."""
        self.source, self.records, self.probability, self.seed = source, records, probability, seed
        self.measure, self.few_widths = measure, few_widths
        self.statements = Statements(tokenizer) if tokenizer else None

    @property
    def longest(self) -> int:
        """The position of a record with the longest report, before an exchange is added to it."""
        return self.source.longest

    def __call__(self, positions: np.ndarray, step: np.ndarray | None = None) -> Batch:
        """Return the records at `positions`, a part of those of a `step`, or the whole step if it is None."""
        step = positions if step is None else step
        batch, drawn = self.source(positions, step), self.draw(step)
        rows = {row: drawn[position] for row, position in enumerate(positions.tolist()) if position in drawn}
        if rows:
            self._exchange_leads(batch, rows)
        if drawn and self.statements is not None:
            texts = self._texts(positions, drawn)
            if rows:
                self._exchange_reports(batch, {row: texts[row] for row in rows}, self.statements.tokenizer)
            if "stated" in batch:
                self.statements.add_to(batch, texts, self._texts(step, drawn))
        return batch

    def draw(self, step: np.ndarray) -> dict[int, Drawn]:
        """Return the exchanges of a step by position."""
        random = np.random.default_rng(mix_seed(self.seed, "exchange", step.tolist()))
        chosen = (random.random(len(step)) < self.probability) & (step < self.records)
        kinds = random.choice(len(EXCHANGES), len(step), p=[exchange.share for exchange in EXCHANGES])
        words = random.random(len(step))
        exchanges = {k: EXCHANGES[kinds[k]] for k in np.flatnonzero(chosen).tolist()}
        return {int(step[k]): Drawn(exchange, exchange.wording(words[k])) for k, exchange in exchanges.items()}

    def _exchange_leads(self, batch: Batch, rows: dict[int, Drawn]) -> None:
        """Give rows of a batch the leads of their exchange, and measure anew what depends on them."""
        for row, drawn in rows.items():
            sources, signs = drawn.exchange.leads
            batch["signal"][row] = batch["signal"][row, sources] * torch.from_numpy(signs).short()[:, None]  # (12, T)
            batch["missing"][row] = batch["missing"][row, sources]
            if "measurements" in batch and drawn.exchange.on_limbs:
                batch["measurements"][row, AXIS] = torch.nan
        if "amplitudes" in batch and self.measure is not None:
            chosen = list(rows)
            signal, valid, missing = (batch[name][chosen].numpy() for name in ("signal", "valid", "missing"))
            batch["amplitudes"][chosen] = torch.from_numpy(self.measure(signal, valid, missing))

    def _exchange_reports(self, batch: Batch, texts: dict[int, str], tokenizer: Tokenizer) -> None:
        """Give rows of a batch other reports."""
        rows, tokens = list(texts), list(batch["tokens"].numpy())
        for row, ids in zip(rows, tokenizer(list(texts.values())), strict=True):
            tokens[row] = ids
        tokens = [ids[ids != tokenizer.pad] for ids in tokens]
        batch["tokens"] = torch.from_numpy(padded_for(tokenizer, tokens, few_widths=self.few_widths))  # (B, S)
        batch["report"][rows] = torch.tensor([number_of(text) for text in texts.values()])

    def _texts(self, positions: np.ndarray, drawn: dict[int, Drawn]) -> list[str]:
        texts = zip(positions.tolist(), self.source.texts(positions), strict=True)
        return [reported(text, *drawn[position]) if position in drawn else text for position, text in texts]


def exchanging(
    source: Reported, records: int, augmentation: settings.Augmentation, train: settings.Train,
    tokenizer: Tokenizer | None, measure: Measure | None = None,
) -> Source:  # fmt: skip
    """Return a source with the exchanges of the settings; the source itself if they have none."""
    if augmentation.exchanged_electrodes == 0:
        return source
    return Exchanging(
        source, records, augmentation.exchanged_electrodes, train.seed, tokenizer,
        measure=measure, few_widths=train.compile,
    )  # fmt: skip
