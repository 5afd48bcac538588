"""Settings of the method and its training. Each field of the method says whether it is the paper's choice or ours."""

from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cgdmer.settings.base import Section

SPLIT_WIDTHS = {"heads": "width", "decoder_heads": "decoder_width", "text_heads": "text_width"}
"""The width that each number of attention heads must divide."""


class Model(Section):
    """Architecture of the ECG encoder and the report encoder. The paper's sizes are not public: all values are ours."""

    width: int = Field(default=96, ge=8)
    """Embedding width of the ECG encoder and of the shared and specific encoders."""
    depth: int = Field(default=3, ge=1)
    """Transformer blocks of the ECG encoder."""
    heads: int = Field(default=4, ge=1, validate_default=True)
    """Attention heads of the ECG encoder and of the shared and specific encoders; must divide `width`."""
    leads: Literal["all", "independent"] = "all"
    """Which leads become tokens: `all` twelve, or the `independent` ones, I, II and the chest leads, from which the
    other limb leads follow. A third fewer tokens; `masking.joint_limb` has no effect then (ours)."""
    patch: int = Field(default=50, ge=2)
    """Samples per patch. A patch of one lead is one token (ours, after ST-MEM)."""
    stem: int = Field(default=16, ge=0)
    """Channels of the convolutional stem, whose output is added to the linear embedding of a patch; 0 for none
    (ours)."""
    split_depth: int = Field(default=1, ge=1)
    """Transformer blocks of the shared encoder and of each specific encoder (the split is the paper's)."""
    decoder_width: int = Field(default=64, ge=8)
    """Embedding width of the ECG decoder."""
    decoder_depth: int = Field(default=1, ge=1)
    """Blocks of the ECG decoder. It is light, after MAE, and unused after pretraining."""
    decoder_heads: int = Field(default=2, ge=1, validate_default=True)
    """Attention heads of the ECG decoder; must divide `decoder_width`."""
    projection: int = Field(default=64, ge=8)
    """Width of the aligned space in which ECG and report are compared."""
    pooling: Literal["mean", "statistics"] = "mean"
    """How the tokens of an ECG become one vector: their `mean`, or `statistics`, which concatenates mean, standard
    deviation and maximum and is three times as wide. Reports are always averaged (ours)."""
    disentangled: bool = True
    """Whether there are shared and specific encoders (paper). If false, one encoder serves both alignment and
    reconstruction."""
    text: str | None = None
    """Pretrained report encoder: a Hugging Face name or a local folder. Null trains a small encoder and its tokenizer
    from scratch."""
    text_revision: str | None = None
    """Commit of the Hugging Face repository that `text` names. With null, the latest downloaded commit is used, and the
    log warns that nothing is pinned."""
    text_frozen_layers: int = Field(default=0, ge=0)
    """Lowest layers of a pretrained report encoder that are not trained; 0 trains its embeddings too."""
    text_width: int = Field(default=96, ge=8)
    """Embedding width of the report encoder trained from scratch."""
    text_depth: int = Field(default=2, ge=1)
    """Transformer blocks of the report encoder trained from scratch."""
    text_heads: int = Field(default=4, ge=1, validate_default=True)
    """Attention heads of the report encoder trained from scratch; must divide `text_width`."""
    vocabulary: int = Field(default=2000, ge=64)
    """Largest vocabulary of the tokenizer trained from scratch."""
    max_tokens: int = Field(default=64, ge=4)
    """Most tokens of a report. Longer reports are truncated."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout probability in every transformer block."""

    @property
    def pooled_width(self) -> int:
        """Width of the pooled shared and of the pooled specific features of an ECG."""
        return self.width * (3 if self.pooling == "statistics" else 1)

    @field_validator(*SPLIT_WIDTHS)
    @classmethod
    def _divide_width(cls, heads: int, info: ValidationInfo) -> int:
        """Refuse a number of heads that does not divide its width, and name the nearest numbers that do."""
        name = SPLIT_WIDTHS[str(info.field_name)]
        width = info.data.get(name, heads)  # a width that is itself wrong has its own error
        if width % heads == 0:
            return heads
        divisors = [number for number in range(1, width + 1) if width % number == 0]
        nearest = sorted(sorted(divisors, key=lambda number: abs(number - heads))[:2])
        raise PydanticCustomError(
            "heads_do_not_divide_width",
            "does not divide model.{name} = {width}; the nearest allowed values are {nearest}",
            {"name": name, "width": width, "nearest": " and ".join(map(str, nearest))},
        )


class Masking(Section):
    """What is hidden from the encoders during pretraining."""

    kind: Literal["random", "spatial", "temporal", "spatiotemporal", "none"] = "spatiotemporal"
    """What is hidden: `random` single tokens, `spatial` whole leads, `temporal` whole time columns, `none` nothing.
    `spatiotemporal` draws one of the first three for each record (masking across leads and time is the paper's choice,
    the mixture is ours)."""
    ratio: float = Field(default=0.75, ge=0, lt=1)
    """Share of ECG tokens that are hidden, the same for every record (ours, after MAE)."""
    light_ratio: float | None = Field(default=None, ge=0, lt=1)
    """Share that is hidden instead of `ratio` in half of the training steps, which are drawn at random, because the
    trained encoder reads whole records; null for none. Held-out records are always measured with `ratio` (ours)."""
    joint_limb: bool = True
    """Whether limb leads are hidden together: two of them determine the others (ours; docs/protocols.md G.22)."""
    statements: float = Field(default=0.5, ge=0, le=1)
    """Probability that only a random subset of a report's statements is read in training, because a zero-shot prompt is
    a single statement (ours)."""
    text_ratio: float = Field(default=0.15, ge=0, lt=1)
    """Share of report tokens that are hidden (ours, after BERT)."""

    @model_validator(mode="after")
    def _light_masks_are_masks(self) -> Self:
        """Refuse a lighter mask where nothing is hidden, because it would have no effect."""
        if self.light_ratio is not None and (self.kind == "none" or self.ratio == 0):
            raise PydanticCustomError(
                "light_ratio_without_mask", "light_ratio must be null where nothing is hidden (kind none or ratio 0)"
            )
        return self


class Augmentation(Section):
    """Disturbances of the ECG that the encoder reads in training; the reconstruction target stays clean (ours).

    Every record draws its own. They are off for held-out records and after training. Amplitudes and frequencies are
    constants of `cgdmer/objectives/augmentation.py`.
    """

    noise: float = Field(default=0.0, ge=0, le=1)
    """Probability of white or muscle noise at the electrodes, 0.008 to 0.15 mV."""
    wander: float = Field(default=0.0, ge=0, le=1)
    """Probability of slow baseline wander at the electrodes, up to about 1 mV."""
    mains: float = Field(default=0.0, ge=0, le=1)
    """Probability of mains hum of 50 or 60 Hz, up to 0.02 mV; needs `signal.fs` above 120."""
    gain: float = Field(default=0.0, ge=0, le=1)
    """Standard deviation of the log of a factor on the whole record."""
    chest_gain: float = Field(default=0.0, ge=0, le=1)
    """Standard deviation of the log of a factor on each chest lead. Factors on single limb leads would break the
    identities between them."""
    lost_leads: float = Field(default=0.0, ge=0, le=1)
    """Probability that a record loses leads: each with a probability of up to 0.4, never all. A lost lead counts as
    missing and is not reconstructed."""
    exchanged_electrodes: float = Field(default=0.0, ge=0, le=1)
    """Probability that two electrodes are exchanged: in three of five cases those of the arms, otherwise other limbs or
    neighbours on the chest. The report then begins with a statement of the exchange, in English, and after one on the
    limbs it does not name the axis. The target shows the exchange too."""
    shift: float = Field(default=0.0, ge=0)
    """Records begin up to this many seconds later, drawn uniformly, and keep at least half of their samples. What comes
    before is cut off, in the target too, and padding follows the end."""

    @property
    def on(self) -> bool:
        """True if a disturbance of the signal alone, which leaves its report as it is, is switched on."""
        return max(self.noise, self.wander, self.mains, self.gain, self.chest_gain, self.lost_leads, self.shift) > 0


class Objective(Section):
    """Weights of the loss terms. Zero switches a term off; the values are ours."""

    contrastive: float = Field(default=1.0, ge=0)
    """Weight of the alignment of shared ECG and report features (paper) by a sigmoid loss (ours, after SigLIP)."""
    scale: float = Field(default=10.0, gt=0)
    """Initial inverse temperature of the sigmoid loss; it is learned."""
    bias: float = -4.0
    """Initial bias of the sigmoid loss; it is learned. Set about -ln(batch), the log odds of a match."""
    ecg_reconstruction: float = Field(default=1.0, ge=0)
    """Weight of the mean squared error on hidden ECG patches (paper), normalised per patch (ours, after MAE)."""
    report_reconstruction: float = Field(default=0.5, ge=0)
    """Weight of the cross-entropy on hidden report tokens (ours)."""
    orthogonality: float = Field(default=1.0, ge=0)
    """Weight of the dependence between shared and specific features, which is minimised (ours)."""
    statements: float = Field(default=0.0, ge=0)
    """Weight of the alignment of each ECG with every single statement of the step's reports: a sigmoid loss that says
    which of them its own report holds (ours)."""
    measurements: float = Field(default=0.0, ge=0)
    """Weight of predicting standardised measurements, age and sex linearly from the pooled shared features of the ECG,
    by a smooth absolute error (ours)."""
    amplitudes: float = Field(default=0.0, ge=0)
    """Weight of predicting the heights of P, Q, R, S, ST and T of the median beat in each independent lead, in the same
    way (ours)."""
    cross_reconstruction: float = Field(default=0.0, ge=0)
    """Weight of decoding the ECG from the report's shared features and the ECG's specific features (ours)."""
    orthogonality_kind: Literal["cosine", "cross_covariance", "hsic"] = "cross_covariance"
    """Measure of dependence: squared cosine, squared cross-correlation, or the Hilbert-Schmidt independence criterion
    (ours)."""
    unique_reports: bool = True
    """Whether records with identical reports are left out of each other's negatives (ours). Whole reports are compared,
    also where only some statements are read (`masking.statements`). So 4.4 % of the demo's negatives are false: all
    statements that are read of the other report stand in the record's own report. With whole reports it would be 0.2 %
    (docs/protocols.md G.26)."""

    @property
    def aligned(self) -> bool:
        """True if ECGs are aligned with reports, so that zero-shot classification and retrieval apply."""
        return max(self.contrastive, self.statements) > 0

    @property
    def measured(self) -> bool:
        """True if values that were measured on a record are predicted from its features."""
        return max(self.measurements, self.amplitudes) > 0


class Train(Section):
    """The optimiser and the training loop, with linear warm-up and cosine decay; all values are ours."""

    seed: int = Field(default=7, ge=0)
    """Seed of initial weights, batch order, masks and dropout."""
    epochs: int = Field(default=8, ge=1)
    """Passes over the pretraining set."""
    batch: int = Field(default=32, ge=2)
    """Records per optimiser step, summed over all processes and micro-batches."""
    accumulate: int = Field(default=1, ge=1)
    """Micro-batches per optimiser step on each process. More of them need less memory; two or more cost another forward
    pass, because the terms across records are computed on the whole batch. Without dropout, the result is the same
    within rounding."""
    optimiser: Literal["adamw", "muon"] = "adamw"
    """`adamw`, or `muon` (Jordan et al. 2024) for the matrices of transformer blocks and AdamW for the rest. Both use
    the same learning rate (Liu et al. 2025)."""
    lr: float = Field(default=2e-3, gt=0)
    """Peak learning rate."""
    text_lr: float | None = Field(default=None, gt=0)
    """Peak learning rate of a pretrained report encoder (`model.text`); null for `lr`."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps in which the learning rate rises. It falls along a cosine to zero afterwards."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Weight decay of matrices; biases, norms, embeddings and the temperature do not decay."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient; larger gradients are scaled down to it."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay per step of the exponential moving average of the weights; 0 for no averaging."""
    compile: bool = False
    """Whether the model is compiled with `torch.compile`: slower to start, faster per step. It is compiled for each
    width of the reports, which are then padded to powers of two. Needs a C compiler."""
    gradient_checkpointing: bool = False
    """Whether activations are recomputed in the backward pass: slower, with less memory."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of activations. `auto` means bf16 on CUDA and fp32 on a CPU."""
    checkpoint_steps: int = Field(default=200, ge=1)
    """Most steps between two checkpoints."""
    checkpoint_minutes: float = Field(default=10.0, gt=0)
    """Most minutes between two checkpoints, whatever the number of steps."""
    keep: int = Field(default=2, ge=1)
    """Latest checkpoints that are not deleted."""
    held_out: int = Field(default=512, ge=0)
    """Most validation records on which the loss is measured after each epoch; 0 for none."""
    select: Literal["last", "best"] = "last"
    """Which weights become the model: the `last`, or the `best` by held-out loss."""
    log_steps: int = Field(default=10, ge=1)
    """Steps averaged in each row of the training curve."""


class Ablations(Section):
    """The ablation study, which `make ablations` runs beside the pipeline."""

    seeds: int = Field(default=3, ge=1)
    """Pretrainings of every method, the full one included. Their seeds are those that follow `train.seed`; a difference
    between methods is compared with the variation between them."""
