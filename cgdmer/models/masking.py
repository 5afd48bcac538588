"""Owns which tokens are hidden: four kinds of ECG mask with an exact visible count; statements and words of reports."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cgdmer.settings import Masking
from cgdmer.signals.leads import LIMB

Noise = dict[str, Tensor]
KINDS = ("random", "spatial", "temporal")
"""What `spatiotemporal` mixes, a third each, drawn for each record."""


@dataclass(frozen=True)
class Mask:
    """Which of the L*N tokens (lead-major) an encoder sees; places are static in shape, so kernels stay the same."""

    places: Tensor
    """Visible tokens (B, V) in order; a record with fewer valid tokens fills up with others, marked in `real`."""
    real: Tensor | None
    """(B, V), false on the filling; None when there is none."""
    hidden: Tensor
    """(B, L*N): valid tokens to reconstruct."""


def noise(records: int, leads: int, columns: int, tokens: int, generator: torch.Generator) -> Noise:
    """Draw all randomness of a batch's masks; rows belong to records, so ranks can slice one global draw."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(records, *shape, generator=generator, device=generator.device)

    return {
        "token": uniform(leads, columns),
        "lead": uniform(leads),
        "column": uniform(columns),
        "kind": uniform(),
        "text": uniform(tokens),
        "part": uniform(2),
        "statement": uniform(tokens + 1),
    }


def visible_columns(columns: int, ratio: float) -> int:
    """Return how many columns' worth of tokens a full record keeps visible: at least one."""
    return max(1, round(columns * (1 - ratio)))


def draw(valid: Tensor, drawn: Noise, settings: Masking, *, full: bool) -> Mask:
    """Choose the visible tokens of each record; `valid` is (B, L, N), `full` says that all of it is true.

    A record with l leads and n columns keeps exactly `l * visible_columns(n)` tokens, whatever the kind. With
    `joint_limb`, the limb leads of a column are visible or hidden together, because any two of them give the others
    (docs/protocols.md G.22); a kind that would cut such a group takes chest tokens in its place.
    """
    batch, leads, columns = valid.shape
    if settings.kind == "none" or settings.ratio == 0:
        places = torch.arange(leads * columns, device=valid.device).expand(batch, -1)
        return Mask(places, None if full else valid.flatten(1), torch.zeros_like(valid).flatten(1))
    present = valid.any(2).sum(1)
    kept = ((valid.any(1).sum(1) * (1 - settings.ratio)).round().clamp(min=1) * present).long()
    score = _scores(drawn, settings).masked_fill(~valid, torch.inf)
    visible = (
        _joint(score, valid, kept)
        if settings.joint_limb
        else _ranks(score.flatten(1)).view_as(valid) < kept[:, None, None]
    )
    visible = visible & valid
    most = leads * visible_columns(columns, settings.ratio)
    places = visible.flatten(1).logical_not().long().argsort(dim=1, stable=True)[:, :most]
    real = None if full else torch.arange(most, device=valid.device) < kept[:, None]
    return Mask(places, real, (valid & ~visible).flatten(1))


def _scores(drawn: Noise, settings: Masking) -> Tensor:
    """Return (B, L, N) scores; the lowest become visible. Limb leads share theirs when they are hidden jointly."""
    leads, columns = drawn["token"].shape[1:]
    group = torch.arange(leads, device=drawn["token"].device)
    if settings.joint_limb:
        group = group.where(group >= LIMB, 0)
    column = _ranks(drawn["column"])[:, None, :]
    by_kind = {
        "random": drawn["token"][:, group],
        "spatial": (_ranks(drawn["lead"])[:, group, None] * columns + column).float(),
        "temporal": column.expand(-1, leads, -1).float(),
    }
    if settings.kind != "spatiotemporal":
        return by_kind[settings.kind]
    choice = (drawn["kind"] * len(KINDS)).long().clamp(max=len(KINDS) - 1)
    return torch.stack([by_kind[kind] for kind in KINDS])[choice, torch.arange(len(choice), device=choice.device)]


def _joint(score: Tensor, valid: Tensor, kept: Tensor) -> Tensor:
    """Keep exactly `kept` (B,) tokens a record: k whole columns of limb leads, the rest from the chest."""
    limb, chest = valid[:, :LIMB], valid[:, LIMB:]
    size, rest = limb.any(2).sum(1), chest.sum((1, 2))
    best = _ranks(score.flatten(1)).view_as(score) < kept[:, None, None]
    columns = (best & valid)[:, :LIMB].sum((1, 2)) // size.clamp(min=1)
    columns = torch.minimum(torch.maximum(columns, -((rest - kept) // size.clamp(min=1))), kept // size.clamp(min=1))
    columns = columns.where(size > 0, 0)
    of_column = score[:, :LIMB].amin(1)
    limb_visible = (_ranks(of_column) < columns[:, None])[:, None, :].expand(-1, LIMB, -1)
    if not score.shape[1] > LIMB:
        return limb_visible
    chest_rank = _ranks(score[:, LIMB:].flatten(1)).view_as(chest)
    return torch.cat([limb_visible, chest_rank < (kept - columns * size)[:, None, None]], 1)


def _ranks(values: Tensor) -> Tensor:
    """Return each value's rank within its row (B, S); ties go to the first."""
    return values.argsort(dim=1, stable=True).argsort(dim=1)


def some_statements(tokens: Tensor, ends: Tensor, marks: Tensor, pad: int, drawn: Noise, share: float) -> Tensor:
    """Keep a random part of the statements of a random `share` of the reports (B, S); the rest moves to the front.

    `ends` (B, S) is true on the period after each statement, `marks` on what stays always. A report keeps 1..n of its
    n statements, each count as likely. Machine reports say normal things briefly: from whole reports alone a model
    learns that a short text means a normal ECG, and reads every prompt, which is one statement, as that.
    """
    number = ends.long().cumsum(1) - ends.long()  # of the statement each token belongs to
    count = ends.sum(1)
    kept = (drawn["part"][:, 1] * count).long() + 1
    draws = drawn["statement"][:, : tokens.shape[1] + 1]
    draws = draws.masked_fill(torch.arange(draws.shape[1], device=tokens.device) >= count[:, None], torch.inf)
    chosen = (_ranks(draws) < kept[:, None]).gather(1, number)
    stays = (chosen | marks | (drawn["part"][:, :1] >= share)) & (tokens != pad)
    order = stays.logical_not().long().argsort(dim=1, stable=True)
    return tokens.masked_fill(~stays, pad).gather(1, order)


def report_places(tokens: Tensor, content: Tensor, drawn: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """Choose the report tokens to hide: places (B, K) and which of them count (B, K).

    A record hides `max(1, round(ratio * its content tokens))` of them; `content` (B, S) leaves out padding and marks.
    """
    count = (content.sum(1) * ratio).round().clamp(min=1).minimum(content.sum(1))
    most = max(1, round(tokens.shape[1] * ratio))
    places = drawn[:, : tokens.shape[1]].masked_fill(~content, torch.inf).argsort(dim=1, stable=True)[:, :most]
    return places, torch.arange(most, device=tokens.device) < count[:, None]
