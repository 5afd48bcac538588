"""Owns CG-DMER (arXiv 2602.21154) assembled: masked ECG and report in, parts, alignment and reconstructions out.

Letters: B records, L leads, N patch columns of P samples, V visible ECG tokens, S report tokens, K hidden ones,
D width, E projection width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cgdmer import settings
from cgdmer.models.ecg import EcgDecoder, EcgEncoder
from cgdmer.models.masking import Mask, Noise, draw, noise
from cgdmer.models.patches import normalise, patchify, standardise, whole_patches
from cgdmer.models.split import Split, joined
from cgdmer.models.text import NamedText, ReportTower
from cgdmer.models.tokens import Tokenizer
from cgdmer.models.transformer import initialise, mean
from cgdmer.shards import batches as shards
from cgdmer.signals.leads import LEADS


class Batch(shards.Batch):
    """What the model reads: the stored batch, which reports are equal, and whether anything is padded."""

    report: Tensor
    """int64 (B,): equal for equal report texts."""
    full: bool
    """No record is padded and no lead missing: masks of padding fall away, which keeps flash kernels."""


Outputs = dict[str, Tensor]


class CGDMER(nn.Module):
    """Both towers, the split, the decoders; what the settings switch off is not built."""

    all_leads: Tensor

    def __init__(
        self,
        model: settings.Model,
        masking: settings.Masking,
        objective: settings.Objective,
        signal: settings.Signal,
        tokenizer: Tokenizer | None,
        text: NamedText | None = None,
    ) -> None:
        super().__init__()
        self.settings, self.masking, self.objective, self.tokenizer = model, masking, objective, tokenizer
        self.columns = signal.samples // model.patch
        hides = masking.kind != "none" and masking.ratio > 0
        decodes = hides and objective.ecg_reconstruction + objective.cross_reconstruction > 0
        guesses = tokenizer is not None and objective.report_reconstruction * masking.text_ratio > 0
        separates = objective.orthogonality > 0
        self.register_buffer("all_leads", torch.arange(len(LEADS)), persistent=False)
        self.ecg = EcgEncoder(model, self.columns)
        self.split = Split(
            model,
            ecg=decodes or separates,
            report=tokenizer is not None and (guesses or separates),
            aligns=tokenizer is not None and objective.contrastive > 0,
        )
        self.decoder = EcgDecoder(model, self.columns, parts=1 if self.split.ecg is None else 2) if decodes else None
        self.report = ReportTower(model, tokenizer, text, guesses=guesses) if tokenizer else None
        self.initialise()

    def initialise(self) -> None:
        """Draw every weight that was not loaded; a named report encoder keeps its own."""
        loaded = set(self.report.body.modules()) if self.report and isinstance(self.report.body, NamedText) else set()
        for module in reversed(list(self.modules())):  # a block after the layers it is made of
            if module not in loaded:
                initialise(module)

    def noise(self, records: int, generator: torch.Generator) -> Noise:
        """Draw the randomness of `records` masks."""
        return noise(records, len(LEADS), self.columns, self.settings.max_tokens, generator)

    def forward(self, batch: Batch, drawn: Noise) -> Outputs:
        """One masked pass over both modalities; each objective finds what it needs by name."""
        out: Outputs = {}

        # The ECG: scale, cut, hide, encode what is left, separate.
        patches, mask, shared, specific = self.separate(batch, drawn)  # (B, L, N, P), mask, (B, V, D) twice
        out["ecg_shared"] = mean(shared, mask.real)  # (B, D)
        if specific is not None:
            out["ecg_specific"] = mean(specific, mask.real)  # (B, D)

        # The report: hide statements and words, encode, separate, guess the words from both parts.
        if self.report is not None:
            words, real = self.report(batch["tokens"].long(), drawn, self.masking, out)  # (B, S, D)
            told, own = self.split(words, real, "report")  # (B, S, D) twice
            out["report_shared"] = mean(told, real)  # (B, D)
            if own is not None:
                out["report_specific"] = mean(own, real)  # (B, D)
            if "word_places" in out:
                read = joined(told, own, real)  # (B, S, 2D)
                out["word_logits"] = self.report.guess(read, out["word_places"])  # (B, K, vocabulary)
            if self.split.project is not None:
                out["ecg_aligned"] = self.split.align(shared, mask.real)  # (B, E)
                out["report_aligned"] = self.split.align(told, real)  # (B, E)

        # Reconstruction of the hidden patches from the specific tokens and what is shared of the record.
        if self.decoder is not None:
            grid = (len(LEADS), self.columns)
            out["hidden"], out["target"] = mask.hidden, normalise(patches.flatten(1, 2))  # (B, L*N), (B, L*N, P)
            if self.objective.ecg_reconstruction > 0:
                out["predicted"] = self.decoder(joined(shared, specific, mask.real), mask, grid)  # (B, L*N, P)
            if self.objective.cross_reconstruction > 0:  # what the report says in place of what the ECG shares
                meant = out["report_shared"][:, None].expand_as(shared)  # (B, V, D)
                out["crossed"] = self.decoder(joined(meant, specific, None), mask, grid)  # (B, L*N, P)
        return out

    def separate(self, batch: Batch, drawn: Noise) -> tuple[Tensor, Mask, Tensor, Tensor | None]:
        """Return the patches, the mask, and the shared and specific parts of what it leaves visible."""
        signal, spread = standardise(batch["signal"], batch["valid"], batch["missing"])  # (B, L, T), (B, 1)
        patches = patchify(signal, self.settings.patch)  # (B, L, N, P)
        valid = whole_patches(batch["valid"], batch["missing"], self.columns, self.settings.patch)  # (B, L, N)
        mask = self.hide(valid, drawn, full=batch["full"])  # places (B, V), hidden (B, L*N)
        tokens = self.ecg(patches, spread, self.all_leads, mask.places, mask.real)  # (B, V, D)
        shared, specific = self.split(tokens, mask.real, "ecg")  # (B, V, D) twice
        return patches, mask, shared, specific

    def hide(self, valid: Tensor, drawn: Noise, *, full: bool) -> Mask:
        """Choose the visible ones of the tokens that exist (B, L, N)."""
        return draw(valid, drawn, self.masking, full=full)

    def features(self, signal: Tensor, valid: Tensor, missing: Tensor, leads: Sequence[int]) -> Outputs:
        """Nothing hidden, any leads by canonical number, any length: pooled parts (B, D) and the projection (B, E).

        `signal` is float mV or int16 microvolt (B, len(leads), T).
        """
        x, spread = standardise(signal, valid, missing)
        patches = patchify(x, self.settings.patch)  # (B, l, n, P)
        real = whole_patches(valid, missing, patches.shape[2], self.settings.patch).flatten(1)  # (B, l*n)
        mask = None if bool(real.all()) else real
        tokens = self.ecg(patches, spread, torch.tensor(leads, device=x.device), real=mask)  # (B, l*n, D)
        shared, specific = self.split(tokens, mask, "ecg")
        out = {"shared": mean(shared, mask)}
        if specific is not None:
            out["specific"] = mean(specific, mask)
        if self.split.project is not None:
            out["aligned"] = self.split.align(shared, mask)
        return out

    def report_features(self, ids: Tensor) -> Tensor:
        """Whole reports (B, S) to unit vectors (B, E) in the aligned space."""
        assert self.report is not None, "a model without a report tower"
        words, real = self.report.encode(ids)
        return self.split.align(self.split.shared(words, real), real)
