"""The single statements of a step's reports, with which each ECG is aligned one by one."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cgdmer.models.cgdmer import Batch
from cgdmer.models.tokens import Tokenizer
from cgdmer.report_text import statements
from cgdmer.training.token_rows import padded_for


class Statements:
    """Finds the statements of reports and their tokens. Statements repeat, so each is tokenised once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._ids: dict[str, np.ndarray] = {}

    def add_to(self, batch: Batch, reports: Sequence[str], step: Sequence[str]) -> None:
        """Add the statements of all reports of the `step`, and which of them each of the B `reports` holds.

        They are sorted by their text, so all parts of a step get the same ones.
        """
        distinct = sorted({statement for report in set(step) for statement in statements(report)})
        column = {statement: number for number, statement in enumerate(distinct)}
        stated = torch.zeros(len(reports), len(distinct), dtype=torch.bool)
        for row, report in enumerate(reports):
            stated[row, [column[statement] for statement in statements(report)]] = True
        batch["statement_tokens"], batch["stated"] = self._tokens(distinct), stated  # (K, S), (B, K)

    def _tokens(self, distinct: Sequence[str]) -> Tensor:
        """Return token ids (K, S), padded."""
        if new := [statement for statement in distinct if statement not in self._ids]:
            pad = self.tokenizer.pad
            for statement, row in zip(new, self.tokenizer(new), strict=True):
                self._ids[statement] = row[row != pad]
        rows = [self._ids[statement] for statement in distinct]
        return torch.from_numpy(padded_for(self.tokenizer, rows)).long()
