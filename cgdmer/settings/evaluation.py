"""Owns the settings of evaluation: embeddings, probes, zero-shot, retrieval, report."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cgdmer.settings.base import Examples, Section

Representation = Literal["shared", "specific", "pooled"]
Lead = Literal["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
Electrode = Literal["RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6"]


class Outside(Section):
    """Weights of an encoder that others trained: a plain state dict in safetensors."""

    file: str
    """Where it lies, from the project's root."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the file: other weights are other settings, so what was made with the old ones is made again."""


class Embed(Section):
    """How features are computed."""

    batch: int = Field(default=256, ge=1)
    seed: int = Field(default=0, ge=0)
    """Weights of the random control."""
    outside: dict[str, Outside] = {}
    """By encoder, for those that need a file (docs/adding_an_encoder.md)."""


class Probe(Section):
    """The linear-probe protocol (docs/protocols.md B.5)."""

    protocol: Literal["canonical", "merl", "melp"] = "canonical"
    fractions: list[float] = [0.01, 0.1, 1.0]
    """Shares of the training split."""
    seeds: int = Field(default=5, ge=1)
    """Nested subsets drawn at each fraction below 1."""
    C: list[float] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3]
    """Inverse L2 strengths C; the best on validation is used."""
    representations: list[Representation] = ["shared", "specific", "pooled"]
    bootstrap: int = Field(default=1000, ge=10)
    """Replicates of the test-set bootstrap."""


class Noise(Section):
    """What is added at every electrode before filtering, drawn for each record."""

    kind: Literal["white", "muscle", "wander"]
    """Of all frequencies alike; in bursts from 20 Hz up; below 0.5 Hz."""
    mv: float = Field(gt=0)
    """Root mean square of `white` and `muscle`, amplitude of `wander`, mV."""


class Exchange(Section):
    """Two electrodes put in each other's place."""

    kind: Literal["exchange"]
    electrodes: list[Electrode] = Field(min_length=2, max_length=2)
    """Two limb electrodes or two chest electrodes."""

    @model_validator(mode="after")
    def of_one_region(self) -> "Exchange":
        """A limb lead measured on the chest is none of the other eleven, so it cannot be had by exchanging leads."""
        first, second = (name.startswith("V") for name in self.electrodes)
        if first != second or self.electrodes[0] == self.electrodes[1]:
            raise ValueError("two different electrodes, both of the limbs or both of the chest")
        return self


class Drop(Section):
    """Leads that were not recorded."""

    kind: Literal["drop"]
    leads: int = Field(ge=1, le=11)
    """How many, drawn for each record."""


class Robustness(Section):
    """Linear probes with fewer leads, and on disturbed test records."""

    representation: Representation = "pooled"
    lead_sets: list[list[Lead]] = [["I", "II", "III", "aVR", "aVL", "aVF"], ["I", "II", "V2"], ["I", "II"], ["I"]]
    """Trained and tested on these leads alone; all twelve come first anyway."""
    disturbances: list[Annotated[Noise | Exchange | Drop, Field(discriminator="kind")]] = []
    """One at a time, on test records; the probe was trained on undisturbed ones."""
    seed: int = Field(default=0, ge=0)
    """Of noise and of the leads that are dropped."""


class ZeroShot(Section):
    """Zero-shot classification on the shared space."""

    prompts: Literal["statements", "ckepe"] = "statements"
    """`statements` ships with the package; `ckepe` is the published file (needs the protocol files)."""
    ensemble: bool = False
    """Put each prompt into several phrasings and average their vectors."""
    bootstrap: int = Field(default=1000, ge=10)


class Finetune(Section):
    """Full fine-tuning and the same architecture from scratch: not linear probes, and off unless asked for."""

    enabled: bool = False
    fractions: list[float] = [0.01, 0.1, 1.0]
    """Shares of the training split; the subsets are the probe's."""
    seeds: int = Field(default=3, ge=1)
    """Runs at each fraction: each its own subset below 1, its own order, and its own first weights from scratch."""
    epochs: int = Field(default=30, ge=1)
    batch: int = Field(default=64, ge=1)
    min_updates: int = Field(default=20, ge=1)
    """Updates an epoch at least: with few labels it makes several passes."""
    lr: float = Field(default=5e-4, gt=0)
    """Peak rate of the head when fine-tuning."""
    layer_decay: float = Field(default=0.75, gt=0, le=1)
    """Each layer below the head learns so much slower when fine-tuning."""
    scratch_lr: float = Field(default=1e-3, gt=0)
    """Peak rate of all layers from scratch."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.05, ge=0)
    clip: float = Field(default=1.0, gt=0)
    patience: int = Field(default=8, ge=1)
    """Epochs without a better validation macro AUROC before a run stops."""
    bootstrap: int = Field(default=1000, ge=10)


class Retrieval(Section):
    """Report to ECG and back, on held-out records of the pretraining corpora."""

    max_records: int = Field(default=2000, ge=2)
    recall_at: list[int] = [1, 5, 10]
    examples: Examples = "auto"
    """Whether ids and report texts are kept as examples; `auto`: where all pretraining corpora are simulated."""


class Disentanglement(Section):
    """What the shared and the specific part of an ECG know, on held-out records of the pretraining corpora."""

    fitted: int = Field(default=2000, ge=2)
    """Training records that the probes of report statements see."""
    measured: int = Field(default=1000, ge=2)
    """Test records."""
    least: int = Field(default=10, ge=1)
    """Reports of both groups that must make a statement."""
    bootstrap: int = Field(default=1000, ge=1)


class Report(Section):
    """The page a person reads."""

    title: str = "CG-DMER benchmark"
    fraction: float = 1.0
    """Label fraction of the headline table."""
    published: bool = True
    """Show published rows that were read in their source, apart from ours."""
    examples: Examples = "auto"
    """Whether the real records that are drawn have their ids and report texts beside them; `auto`: they have not."""
