"""CG-DMER (arXiv 2602.21154): a masked ECG and its report in; shared and specific features and reconstructions out.

Letters: B records, L leads, N patch columns of P samples, V visible ECG tokens, S report tokens, K hidden report
tokens or statements, D width, F width of pooled ECG features (D or 3D), E width of the aligned space.
"""

from collections.abc import Sequence
from typing import NotRequired, cast

import torch
from torch import Tensor, nn

from cgdmer import settings
from cgdmer.models.disentangle import Disentangler, decoder_input
from cgdmer.models.ecg import EcgDecoder, EcgEncoder
from cgdmer.models.independent_leads import independent_leads, place_leads
from cgdmer.models.masking import Mask, Noise, draw_noise, sample_mask
from cgdmer.models.patches import normalise, patchify, standardise, whole_patches
from cgdmer.models.text import HuggingFaceText, ReportEncoder
from cgdmer.models.tokens import Tokenizer
from cgdmer.models.transformer import initialise, mean_pool
from cgdmer.shards import batches as shards
from cgdmer.signals.leads import INDEPENDENT, LEADS


class Batch(shards.Batch):
    """The input of the model: the stored batch, which reports are equal, and whether anything is padded."""

    report: Tensor
    """int64 (B,): equal numbers mean equal report texts."""
    full: bool
    """No record is padded and no lead is missing. Then no attention mask is needed, and flash kernels can be used."""
    has_report: NotRequired[Tensor]
    """bool (B,): False for a record without report; its `tokens` are those of an empty text and count nowhere. Absent
    when all records have a report."""
    statement_tokens: NotRequired[Tensor]
    """int64 (K, S): the distinct statements of the step's reports, the same on all ranks and in all micro-batches."""
    stated: NotRequired[Tensor]
    """bool (B, K): which statements a record's report holds."""
    measurements: NotRequired[Tensor]
    """float (B, M): standardised measurements in the order of `MEASUREMENTS`, NaN where unknown."""
    amplitudes: NotRequired[Tensor]
    """float (B, M): scaled amplitudes in the order of `AMPLITUDES`, NaN where unknown."""


def take_rows(batch: Batch, rows: slice) -> Batch:
    """Return some records of a batch; the statements, which belong to the whole step, stay whole."""
    taken = {
        name: value[rows] if isinstance(value, Tensor) and name != "statement_tokens" else value
        for name, value in batch.items()
    }
    return cast(Batch, taken)


Outputs = dict[str, Tensor]


class CGDMER(nn.Module):
    """Both encoders, the disentangler and the decoders. What the settings switch off is not built."""

    token_leads: Tensor
    """int64 (L,): canonical numbers of the leads that become tokens."""

    def __init__(
        self,
        model: settings.Model,
        masking: settings.Masking,
        objective: settings.Objective,
        signal: settings.Signal,
        tokenizer: Tokenizer | None,
        text: HuggingFaceText | None = None,
    ) -> None:
        super().__init__()
        self.settings, self.masking, self.objective, self.tokenizer = model, masking, objective, tokenizer
        self.signal, self.columns = signal, signal.samples // model.patch
        self.full_masking = masking.model_copy(
            update={"joint_limb": masking.joint_limb and model.leads == "all"}  # I and II do not give each other
        )
        light_ratio = masking.ratio if masking.light_ratio is None else masking.light_ratio
        self.light_masking = self.full_masking.model_copy(update={"ratio": light_ratio})
        hides_patches = masking.kind != "none" and masking.ratio > 0
        predicts_patches = hides_patches and objective.ecg_reconstruction + objective.cross_reconstruction > 0
        predicts_words = tokenizer is not None and objective.report_reconstruction * masking.text_ratio > 0
        separates = objective.orthogonality > 0

        # encoders
        self.independent = model.leads == "independent"
        token_leads = INDEPENDENT if self.independent else range(len(LEADS))
        self.register_buffer("token_leads", torch.tensor(token_leads), persistent=False)
        self.ecg_encoder = EcgEncoder(model, self.columns)
        self.disentangler = Disentangler(
            model,
            ecg_specific=predicts_patches or separates,
            report_specific=tokenizer is not None and (predicts_words or separates),
            projection=tokenizer is not None and objective.aligned,
        )

        # decoder and report encoder
        inputs = 1 if self.disentangler.ecg_specific is None else 2
        self.ecg_decoder = EcgDecoder(model, self.columns, inputs) if predicts_patches else None
        self.report_encoder = (
            ReportEncoder(model, tokenizer, text, predicts_words=predicts_words) if tokenizer else None
        )
        self.initialise()

    def initialise(self) -> None:
        """Draw every weight anew, except those of a report encoder from Hugging Face."""
        text = self.report_encoder.text_model if self.report_encoder else None
        pretrained = set(text.modules()) if isinstance(text, HuggingFaceText) else set()
        for module in reversed(list(self.modules())):  # a block comes after the layers it contains
            if module not in pretrained:
                initialise(module)

    def draw_noise(self, records: int, generator: torch.Generator) -> Noise:
        """Draw the random numbers behind the masks of `records` records."""
        noise = draw_noise(records, len(self.token_leads), self.columns, self.settings.max_tokens, generator)
        if self.masking.light_ratio is not None:  # one number for a step: all of its masks are light, or none
            noise["light"] = torch.rand(1, generator=generator, device=generator.device).expand(records)
        return noise

    def forward(self, batch: Batch, noise: Noise, disturbed: Batch | None = None) -> Outputs:
        """Run one masked pass over both modalities and return what the objectives compare, by name.

        With `disturbed`, the encoder reads its signals, while those of `batch` stay the target.
        """
        outputs: Outputs = {}

        # encode the visible ECG patches and disentangle them
        patches, mask, ecg_shared, ecg_specific = self.forward_ecg(disturbed or batch, noise)  # (B, V, D) twice
        outputs["ecg_shared"] = mean_pool(ecg_shared, mask.attention_mask)  # (B, D)
        if ecg_specific is not None:
            outputs["ecg_specific"] = mean_pool(ecg_specific, mask.attention_mask)  # (B, D)

        # encode the report, reconstruct its hidden words, align it with the ECG
        if self.report_encoder is not None:
            outputs |= self.forward_report(self.report_encoder, batch["tokens"].long(), noise)
            if self.disentangler.projection is not None:
                outputs["ecg_aligned"] = self.disentangler.align(ecg_shared, mask.attention_mask, "ecg")  # (B, E)

        # pool the shared features for measurements and amplitudes; encode every statement of the step
        if self.objective.measured:
            outputs["ecg_pooled"] = self.disentangler.pooling(ecg_shared, mask.attention_mask)  # (B, F)
        if self.objective.statements > 0 and "statement_tokens" in batch:
            outputs["statement_aligned"] = self.report_features(batch["statement_tokens"].long())  # (K, E)

        # reconstruct the hidden patches
        if self.ecg_decoder is not None:
            grid = (len(self.token_leads), self.columns)
            outputs["hidden_patches"] = mask.hidden  # (B, L*N)
            clean = patches if disturbed is None else self.patches(batch)[0]  # (B, L, N, P)
            outputs["target_patches"] = normalise(clean.flatten(1, 2))  # (B, L*N, P)
            if self.objective.ecg_reconstruction > 0:
                features = decoder_input(ecg_shared, ecg_specific, mask.attention_mask)  # (B, V, 2D)
                outputs["predicted_patches"] = self.ecg_decoder(features, mask, grid)  # (B, L*N, P)

            # cross-modal: the shared features of the report in place of those of the ECG
            if self.objective.cross_reconstruction > 0:
                report_shared = outputs["report_shared"][:, None].expand_as(ecg_shared)  # (B, V, D)
                features = decoder_input(report_shared, ecg_specific, None)  # (B, V, 2D)
                outputs["cross_predicted_patches"] = self.ecg_decoder(features, mask, grid)  # (B, L*N, P)
        return outputs

    def forward_ecg(self, batch: Batch, noise: Noise) -> tuple[Tensor, Mask, Tensor, Tensor | None]:
        """Hide ECG patches and encode the rest.

        Returns all patches (B, L, N, P), the mask, and the shared and specific features of the visible tokens, each
        (B, V, D).
        """
        # divide by the standard deviation of the record, then cut into patches; which of them exist
        patches, present, log_std = self.patches(batch)  # (B, L, N, P), (B, L, N), (B, 1)

        # choose the visible tokens
        mask = self.sample_mask(present, noise, full=batch["full"])  # ids_keep (B, V), hidden (B, L*N)

        # encode them and separate shared from specific features
        ecg_tokens = self.ecg_encoder(
            patches, log_std, self.token_leads, mask.ids_keep, mask.attention_mask
        )  # (B, V, D)
        ecg_shared, ecg_specific = self.disentangler(ecg_tokens, mask.attention_mask, "ecg")  # (B, V, D) twice
        return patches, mask, ecg_shared, ecg_specific

    def patches(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return standardised patches (B, L, N, P), which of them are present (B, L, N), and each log std (B, 1)."""
        signal, log_std = standardise(batch["signal"], batch["valid"], batch["missing"])  # (B, 12, T), (B, 1)
        missing = batch["missing"]  # (B, 12)
        if self.independent:
            signal, missing = independent_leads(signal, missing)  # (B, L, T), (B, L)
        present = whole_patches(batch["valid"], missing, self.columns, self.settings.patch)  # (B, L, N)
        return patchify(signal, self.settings.patch), present, log_std

    def forward_report(self, encoder: ReportEncoder, ids: Tensor, noise: Noise) -> Outputs:
        """Hide statements and words of the reports (B, S), encode the rest, and predict the hidden words."""
        outputs: Outputs = {}

        # hide statements (in training) and words
        visible_ids, hidden_words = encoder.hide(ids, noise, self.masking)  # (B, S)

        # encode what is left and separate shared from specific features
        report_tokens, attention_mask = encoder(visible_ids)  # (B, S, D), (B, S)
        report_shared, report_specific = self.disentangler(report_tokens, attention_mask, "report")  # (B, S, D) twice
        outputs["report_shared"] = mean_pool(report_shared, attention_mask)  # (B, D)
        if report_specific is not None:
            outputs["report_specific"] = mean_pool(report_specific, attention_mask)  # (B, D)

        # reconstruct the hidden words
        if encoder.word_head is not None and hidden_words is not None:
            features = decoder_input(report_shared, report_specific, attention_mask)  # (B, S, 2D)
            outputs["word_logits"] = encoder.predict_words(features, hidden_words.positions)  # (B, K, vocabulary)
            outputs["target_words"], outputs["hidden_words"] = hidden_words.ids, hidden_words.hidden  # (B, K) twice

        # project into the aligned space
        if self.disentangler.projection is not None:
            outputs["report_aligned"] = self.disentangler.align(report_shared, attention_mask, "report")  # (B, E)
        return outputs

    def sample_mask(self, present: Tensor, noise: Noise, *, full: bool) -> Mask:
        """Choose the visible ones of the tokens that exist, `present` (B, L, N); in half of the steps, hide fewer.

        The choice fixes V, so it is read from the device, once per pass.
        """
        light = self.training and "light" in noise and bool(noise["light"][0] < 0.5)
        return sample_mask(present, noise, self.light_masking if light else self.full_masking, full=full)

    def features(self, signal: Tensor, valid: Tensor, missing: Tensor, leads: Sequence[int]) -> Outputs:
        """Encode whole ECGs: any leads, any length, nothing hidden.

        `signal` is float mV or int16 microvolt (B, L, T), `valid` samples (B,), `missing` leads (B, L), `leads` the
        canonical lead numbers. Returns pooled `shared` and `specific` features (B, F) and `aligned` vectors (B, E), as
        far as the model has them.
        """
        standardised, log_std = standardise(signal, valid, missing)  # (B, L, T), (B, 1)
        lead_numbers = torch.tensor(leads, device=standardised.device)  # (L,)
        if self.independent:
            every_lead, every_missing = place_leads(standardised, missing, lead_numbers)  # (B, 12, T), (B, 12)
            standardised, missing = independent_leads(every_lead, every_missing)  # (B, 8, T), (B, 8)
            missing = missing & ~missing.all(1, keepdim=True)  # a record without any reads as one of zeros
            lead_numbers = self.token_leads  # (8,)
        patches = patchify(standardised, self.settings.patch)  # (B, L, N, P)
        present = whole_patches(valid, missing, patches.shape[2], self.settings.patch).flatten(1)  # (B, L*N)
        attention_mask = None if bool(present.all()) else present
        ecg_tokens = self.ecg_encoder(patches, log_std, lead_numbers, attention_mask=attention_mask)  # (B, L*N, D)
        return self.pool_features(ecg_tokens, attention_mask)

    def pool_features(self, ecg_tokens: Tensor, attention_mask: Tensor | None) -> Outputs:
        """Disentangle the encoder's tokens (B, S, D) and return the pooled features that `features` describes."""
        ecg_shared, ecg_specific = self.disentangler(ecg_tokens, attention_mask, "ecg")  # (B, S, D) twice
        outputs = {"shared": self.disentangler.pooling(ecg_shared, attention_mask)}  # (B, F)
        if ecg_specific is not None:
            outputs["specific"] = self.disentangler.pooling(ecg_specific, attention_mask)  # (B, F)
        if self.disentangler.projection is not None:
            outputs["aligned"] = self.disentangler.align(ecg_shared, attention_mask, "ecg")  # (B, E)
        return outputs

    def report_features(self, ids: Tensor) -> Tensor:
        """Encode whole reports (B, S) as unit vectors (B, E) in the aligned space."""
        assert self.report_encoder is not None, "the model has no report encoder"
        report_tokens, attention_mask = self.report_encoder(ids)  # (B, S, D), (B, S)
        report_shared = self.disentangler.shared(report_tokens, attention_mask)  # (B, S, D)
        return self.disentangler.align(report_shared, attention_mask, "report")
