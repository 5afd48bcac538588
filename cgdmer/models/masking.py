"""Masks: which ECG tokens, report statements and report words are hidden from the encoders.

Letters: B records, L leads, N patch columns, V visible ECG tokens, S report tokens, K hidden report tokens.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from cgdmer.settings import Masking
from cgdmer.signals.leads import LIMB

Noise = dict[str, Tensor]
"""All random numbers behind the masks of a batch, uniform in 0..1; every tensor has B rows."""
KINDS = ("random", "spatial", "temporal")
"""The kinds that `spatiotemporal` mixes: one of them is drawn for each record, with equal probability."""


@dataclass(frozen=True)
class Mask:
    """Which of the L*N ECG tokens (lead-major) the encoder sees. V is the same for every record of a batch."""

    ids_keep: Tensor
    """int64 (B, V): the visible tokens, ascending. A record with fewer than V of them is filled up with others."""
    attention_mask: Tensor | None
    """bool (B, V): True = a visible token, False = filling. None when no record needs filling."""
    hidden: Tensor
    """bool (B, L*N): True = a hidden token, to be reconstructed. Padding and missing leads are False."""


def draw_noise(records: int, leads: int, columns: int, tokens: int, generator: torch.Generator) -> Noise:
    """Draw the random numbers of a batch's masks. Rows belong to records, so ranks can slice one global draw."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(records, *shape, generator=generator, device=generator.device)

    return {
        "token": uniform(leads, columns),
        "lead": uniform(leads),
        "column": uniform(columns),
        "kind": uniform(),
        "word": uniform(tokens),
        "shorten": uniform(2),  # whether a report loses statements, and how many it keeps
        "statement": uniform(tokens + 1),
    }


def rounded_share(count: int, share: float) -> int:
    """Return a share of `count` as a whole number, at least 1: every number of visible and hidden tokens."""
    return max(1, round(count * share))


def rounded_shares(counts: Tensor, most: int, share: float) -> Tensor:
    """Return `rounded_share` of each of the counts (B,), which are at most `most`.

    A table gives the same numbers as a single call does; a product in fp32 would round some of them differently.
    """
    if torch.compiler.is_compiling():  # a compiled model has the table as a constant
        return torch.tensor(_shares(most, share), device=counts.device)[counts]
    return _shares_on(counts.device, most, share)[counts]


def _shares(most: int, share: float) -> list[int]:
    return [rounded_share(count, share) for count in range(most + 1)]


@cache
def _shares_on(device: torch.device, most: int, share: float) -> Tensor:
    """Copy the table to a device; a copy in every step would let the host wait for the GPU."""
    return torch.tensor(_shares(most, share), device=device)


def sample_mask(present: Tensor, noise: Noise, settings: Masking, *, full: bool) -> Mask:
    """Choose the visible tokens of each record.

    `present` is bool (B, L, N), False in padding and on missing leads; `full` says that it is True everywhere. A record
    with l leads and n columns keeps exactly `l * rounded_share(n, 1 - ratio)` tokens, whatever the kind of mask. With
    `joint_limb`, the limb leads of a column are visible or hidden together, because any two of them give the others
    (docs/protocols.md G.22). A kind that would cut such a group takes chest tokens instead.
    """
    records, leads, columns = present.shape
    if settings.kind == "none" or settings.ratio == 0:
        every_token = torch.arange(leads * columns, device=present.device).expand(records, -1)  # (B, L*N)
        return Mask(every_token, None if full else present.flatten(1), torch.zeros_like(present).flatten(1))

    # How many tokens of each record stay visible.
    leads_present, columns_present = present.any(2).sum(1), present.any(1).sum(1)  # (B,) twice
    visible_count = rounded_shares(columns_present, columns, 1 - settings.ratio) * leads_present  # (B,)

    # Score every token, then keep those with the lowest scores.
    scores = _scores(noise, settings).masked_fill(~present, torch.inf)  # (B, L, N)
    visible = (
        _keep_limb_leads_together(scores, present, visible_count)
        if settings.joint_limb
        else _ranks(scores.flatten(1)).view_as(present) < visible_count[:, None, None]
    )
    visible = visible & present  # (B, L, N)

    # Sort the visible tokens to the front and cut to a length that is the same for all records.
    length = leads * rounded_share(columns, 1 - settings.ratio)
    ids_keep = visible.flatten(1).logical_not().long().argsort(dim=1, stable=True)[:, :length]  # (B, V)
    attention_mask = None if full else torch.arange(length, device=present.device) < visible_count[:, None]  # (B, V)
    return Mask(ids_keep, attention_mask, (present & ~visible).flatten(1))


def _scores(noise: Noise, settings: Masking) -> Tensor:
    """Return scores (B, L, N); the lowest become visible. Limb leads that are hidden jointly share their scores."""
    leads, columns = noise["token"].shape[1:]
    group = torch.arange(leads, device=noise["token"].device)  # (L,)
    if settings.joint_limb:
        group = group.where(group >= LIMB, 0)
    column_rank = _ranks(noise["column"])[:, None, :]  # (B, 1, N)
    by_kind = {
        "random": noise["token"][:, group],
        "spatial": (_ranks(noise["lead"])[:, group, None] * columns + column_rank).float(),
        "temporal": column_rank.expand(-1, leads, -1).float(),
    }
    if settings.kind != "spatiotemporal":
        return by_kind[settings.kind]
    choice = (noise["kind"] * len(KINDS)).long().clamp(max=len(KINDS) - 1)  # (B,)
    return torch.stack([by_kind[kind] for kind in KINDS])[choice, torch.arange(len(choice), device=choice.device)]


def _keep_limb_leads_together(scores: Tensor, present: Tensor, visible_count: Tensor) -> Tensor:
    """Keep exactly `visible_count` (B,) tokens of each record: whole columns of limb leads, then chest tokens.

    Returns bool (B, L, N), True = visible.
    """
    limb_size = present[:, :LIMB].any(2).sum(1)  # (B,): limb leads of the record
    chest_tokens = present[:, LIMB:].sum((1, 2))  # (B,)

    # As many whole columns of limb leads as an independent choice would show, within what the chest can make up for.
    lowest = _ranks(scores.flatten(1)).view_as(scores) < visible_count[:, None, None]  # (B, L, N)
    size = limb_size.clamp(min=1)
    limb_columns = (lowest & present)[:, :LIMB].sum((1, 2)) // size  # (B,)
    fewest, most = -((chest_tokens - visible_count) // size), visible_count // size  # (B,) twice
    limb_columns = torch.minimum(torch.maximum(limb_columns, fewest), most).where(limb_size > 0, 0)

    column_rank = _ranks(scores[:, :LIMB].amin(1))  # (B, N)
    limb_visible = (column_rank < limb_columns[:, None])[:, None, :].expand(-1, LIMB, -1)  # (B, 6, N)
    if not scores.shape[1] > LIMB:
        return limb_visible
    chest_rank = _ranks(scores[:, LIMB:].flatten(1)).view_as(present[:, LIMB:])  # (B, L - 6, N)
    chest_visible = chest_rank < (visible_count - limb_columns * limb_size)[:, None, None]
    return torch.cat([limb_visible, chest_visible], 1)


def _ranks(values: Tensor) -> Tensor:
    """Return the rank of each value within its row (B, S); of equal values the first ranks lower."""
    return values.argsort(dim=1, stable=True).argsort(dim=1)


def drop_statements(tokens: Tensor, ends: Tensor, special: Tensor, pad: int, noise: Noise, share: float) -> Tensor:
    """Remove statements from a random `share` of the reports (B, S); the remaining tokens move to the front.

    `ends` (B, S) is True on the period after each statement, `special` (B, S) on tokens that always stay. A report of n
    statements keeps 1 to n of them, every number equally likely. Machine reports describe normal ECGs briefly, so from
    whole reports alone a model learns that a short text means a normal ECG, and reads every prompt that way, since a
    prompt is one statement.
    """
    statement = ends.long().cumsum(1) - ends.long()  # (B, S): which statement each token belongs to
    statements = ends.sum(1)  # (B,)
    kept_count = (noise["shorten"][:, 1] * statements).long() + 1  # (B,)

    # Rank the statements of each report at random and keep the first ones.
    scores = noise["statement"][:, : tokens.shape[1] + 1]  # (B, S + 1)
    beyond = torch.arange(scores.shape[1], device=tokens.device) >= statements[:, None]  # (B, S + 1)
    kept = _ranks(scores.masked_fill(beyond, torch.inf)) < kept_count[:, None]  # (B, S + 1)

    whole_report = noise["shorten"][:, :1] >= share  # (B, 1)
    stays = (kept.gather(1, statement) | special | whole_report) & (tokens != pad)  # (B, S)
    order = stays.logical_not().long().argsort(dim=1, stable=True)  # (B, S)
    return tokens.masked_fill(~stays, pad).gather(1, order)


def sample_hidden_words(content: Tensor, noise: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """Choose the report tokens to hide.

    `content` is bool (B, S), False on padding and special tokens; `noise` is (B, at least S). A report hides
    `rounded_share` of its content tokens. Returns their positions, int64 (B, K), and bool (B, K), False
    where a report hides fewer than K tokens and the position only fills up the row.
    """
    content_count = content.sum(1)  # (B,)
    hidden_count = rounded_shares(content_count, content.shape[1], ratio).minimum(content_count)  # (B,)
    length = rounded_share(content.shape[1], ratio)
    scores = noise[:, : content.shape[1]].masked_fill(~content, torch.inf)  # (B, S)
    positions = scores.argsort(dim=1, stable=True)[:, :length]  # (B, K)
    return positions, torch.arange(length, device=content.device) < hidden_count[:, None]
