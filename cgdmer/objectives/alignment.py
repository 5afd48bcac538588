"""Sigmoid losses that align ECGs with whole reports and with single statements.

Letters: B records (b on this rank), K statements, E width of the aligned space.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def siglip(
    ecg: Tensor, reports: Sequence[Tensor], scale: Tensor, bias: Tensor, rank: int, ids: Tensor,
    ids_by_rank: Sequence[Tensor], *, unique: bool,
) -> Tensor:  # fmt: skip
    """Sum -log sigmoid over all pairs of this rank's ECGs (b, E) with every rank's reports (Zhai et al. 2023).

    The sum runs over one rank's reports at a time, so no matrix is larger than (b, b'). `rank` is this process's index
    into `reports`. `ids` (b,) and `ids_by_rank` number the report texts: with `unique`, another record's equal text
    counts neither as a match nor as a negative.
    """
    total = ecg.new_zeros(())
    for other_rank, (report, report_ids) in enumerate(zip(reports, ids_by_rank, strict=True)):
        logits = ecg @ report.T * scale + bias  # (b, b')
        match = torch.eye(*logits.shape, dtype=torch.bool, device=ecg.device) & (other_rank == rank)  # (b, b')
        losses = F.softplus(torch.where(match, -logits, logits))  # (b, b')
        if unique:
            losses = losses.masked_fill((ids[:, None] == report_ids) & ~match, 0.0)
        total = total + losses.sum()
    return total


def statement_loss(ecg: Tensor, statements: Tensor, stated: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Sum -log sigmoid over all statements, for each record (B,): does its report hold the statement or not?

    `ecg` (B, E) and `statements` (K, E) are unit vectors; `stated` (B, K) is True where a report holds a statement.
    """
    logits = ecg @ statements.T * scale + bias  # (B, K)
    return F.softplus(torch.where(stated, -logits, logits)).sum(1)
