"""Owns the settings of the method: model, masking, objectives, training."""

from typing import Literal

from pydantic import Field

from cgdmer.settings.base import Section


class Model(Section):
    """Architecture of both towers."""

    width: int = Field(default=96, ge=8)
    """Embedding width of the ECG encoder and of the shared and specific encoders."""
    depth: int = Field(default=3, ge=1)
    """Transformer blocks of the ECG encoder."""
    heads: int = Field(default=4, ge=1)
    patch: int = Field(default=50, ge=2)
    """Samples a patch of one lead."""
    stem: int = Field(default=16, ge=0)
    """Channels of the small convolution within a patch that adds to its linear embedding, 0 for none."""
    split_depth: int = Field(default=1, ge=1)
    """Blocks of the shared encoder and of each specific encoder."""
    decoder_width: int = Field(default=64, ge=8)
    decoder_depth: int = Field(default=1, ge=1)
    """Blocks of the light ECG decoder."""
    projection: int = Field(default=64, ge=8)
    """Width of the aligned space."""
    disentangled: bool = True
    """Off: one encoder feeds alignment and reconstruction alike."""
    text: str | None = None
    """A Hugging Face name or local folder; null trains a small encoder and its tokenizer from scratch."""
    text_frozen_layers: int = Field(default=0, ge=0)
    """Lowest layers of a named text encoder that stay as they are."""
    text_width: int = Field(default=96, ge=8)
    text_depth: int = Field(default=2, ge=1)
    text_heads: int = Field(default=4, ge=1)
    """Size of the encoder that is trained from scratch."""
    vocabulary: int = Field(default=2000, ge=64)
    """Largest vocabulary of a tokenizer that is trained from scratch."""
    max_tokens: int = Field(default=64, ge=4)
    """Tokens a report is cut to."""
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Masking(Section):
    """What is hidden from the encoders."""

    kind: Literal["random", "spatial", "temporal", "spatiotemporal", "none"] = "spatiotemporal"
    """Independent tokens, whole leads, whole time columns, or a mixture of both drawn for each record."""
    ratio: float = Field(default=0.75, ge=0, lt=1)
    """Share of ECG tokens hidden; the visible count is the same for every record."""
    joint_limb: bool = True
    """Hide limb leads together, because they are linear combinations of each other (docs/protocols.md G.22)."""
    statements: float = Field(default=0.5, ge=0, le=1)
    """Share of reports of which only some statements are read in training: a prompt is one statement."""
    text_ratio: float = Field(default=0.15, ge=0, lt=1)
    """Share of report tokens hidden."""


class Objective(Section):
    """Weights of the named loss terms; zero switches a term off."""

    contrastive: float = Field(default=1.0, ge=0)
    """SigLIP between the shared parts."""
    scale: float = Field(default=10.0, gt=0)
    bias: float = -4.0
    """Start of the learned inverse temperature and bias; the bias is about -ln(batch), the log odds of a match."""
    ecg_reconstruction: float = Field(default=1.0, ge=0)
    """Mean squared error of masked, per-patch normalised ECG patches."""
    report_reconstruction: float = Field(default=0.5, ge=0)
    """Cross-entropy of masked report tokens."""
    orthogonality: float = Field(default=1.0, ge=0)
    """Dependence between shared and specific parts."""
    cross_reconstruction: float = Field(default=0.0, ge=0)
    """Decode the ECG from the report's shared part and the ECG's specific part."""
    orthogonality_kind: Literal["cosine", "cross_covariance", "hsic"] = "cross_covariance"
    unique_reports: bool = True
    """Identical reports in a batch are not each other's negatives."""


class Train(Section):
    """The training engine."""

    seed: int = Field(default=7, ge=0)
    epochs: int = Field(default=8, ge=1)
    batch: int = Field(default=32, ge=2)
    """Global batch, over all processes and accumulation steps."""
    accumulate: int = Field(default=1, ge=1)
    lr: float = Field(default=2e-3, gt=0)
    """Peak learning rate."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps with a rising rate; cosine after it."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Not on biases, norms, embeddings, temperature."""
    clip: float = Field(default=1.0, gt=0)
    """Largest gradient norm."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of averaged weights, 0 for none."""
    compile: bool = False
    gradient_checkpointing: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bf16 on CUDA, fp32 on CPU."""
    checkpoint_steps: int = Field(default=200, ge=1)
    keep: int = Field(default=2, ge=1)
    """Checkpoints kept beside the best."""
    held_out: int = Field(default=512, ge=0)
    """Validation records measured after each epoch, 0 for none."""
    select: Literal["last", "best"] = "last"
    """Which weights become the result: the last, or those with the lowest held-out loss."""
    log_steps: int = Field(default=10, ge=1)
    """Steps averaged in one row of the curve."""
