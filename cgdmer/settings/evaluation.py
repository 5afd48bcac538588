"""Settings of the evaluation: embeddings, probes, robustness, fine-tuning, zero-shot, retrieval, benchmark page."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from cgdmer.settings.base import Examples, Section

Representation = Literal["shared", "specific", "pooled"]
Lead = Literal["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
Electrode = Literal["RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6"]
Fraction = Annotated[float, Field(gt=0, le=1)]
"""A share of the training split; 1 is all of it, so percent are refused."""


class WeightsFile(Section):
    """Weights of a published encoder: a plain state dict in safetensors. A path alone stands for `file`."""

    file: str
    """Path, relative to the project's root, of the file or of the folder that `cgdmer convert` wrote."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """Checksum of the safetensors file; null accepts any. A changed checksum is a changed setting, so every result of
    the old weights is computed again."""

    @model_validator(mode="before")
    @classmethod
    def from_path(cls, value: Any) -> Any:
        """Let a path stand for a section that names no checksum."""
        return {"file": value} if isinstance(value, str) else value


class Embed(Section):
    """How encoders compute features."""

    batch: int = Field(default=256, ge=1)
    """Records per batch."""
    seed: int = Field(default=0, ge=0)
    """Seed of the first set of weights of a random control; the next sets count up from it."""
    control_seeds: dict[str, Annotated[int, Field(ge=1)]] = {"random": 5, "random_resnet18": 5}
    """Number of sets of weights of each random control, at least 1. All are embedded and probed; every other encoder
    has one."""
    outside: dict[str, WeightsFile] = {}
    """Weights file of each encoder that needs one, by encoder (docs/adding_an_encoder.md)."""
    crops: int = Field(default=1, ge=1)
    """Evenly spaced crops of each record whose features are averaged, in the stages `embed`, `control` and
    `robustness` and in cross-validation and external validation; 1 reads the record as a whole. A network of fixed
    length reads each crop padded with zeros."""
    crop_seconds: float = Field(default=5.0, gt=0)
    """Length of a crop, if there are several."""

    def sets_of_weights(self, encoder: str) -> int:
        """Return how many sets of weights an encoder is embedded with."""
        return self.control_seeds.get(encoder, 1)


class Probe(Section):
    """The linear probe: logistic regression on frozen features (docs/protocols.md B.5)."""

    protocol: Literal["canonical", "merl", "melp"] = "canonical"
    """How the probe is trained. `merl` and `melp` repeat the published code of these papers, including its defects, to
    reproduce a published row; they are not meant for new results."""
    fractions: list[Fraction] = Field(default=[0.01, 0.1, 1.0], min_length=1)
    """Fractions of the training split on which a probe is trained, above 0 and at most 1."""
    seeds: int = Field(default=5, ge=1)
    """Random subsets per fraction below 1. The subsets of one seed are nested."""
    C: list[Annotated[float, Field(gt=0)]] = Field(default=[1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3], min_length=1)
    """Candidates for C, the inverse L2 regularisation strength, each above 0. The best on the validation split is
    used."""
    representations: list[Representation] = ["shared", "specific", "pooled"]
    """Features that are probed. `pooled` is the shared and the specific features concatenated."""
    bootstrap: int = Field(default=1000, ge=10)
    """Bootstrap replicates of the test split, for confidence intervals."""


class Noise(Section):
    """Noise that is added at every electrode before filtering, drawn for each record."""

    kind: Literal["white", "muscle", "wander", "tremor"]
    """`white` has all frequencies, `muscle` comes in bursts above 20 Hz, `wander` is baseline wander below
    0.5 Hz, `tremor` shakes the limbs at 4 to 7 Hz."""
    mv: float = Field(gt=0)
    """Root mean square of `white` and `muscle`, largest amplitude of `wander` and of the fundamental of `tremor`,
    in mV."""


class Exchange(Section):
    """Two electrodes swapped by mistake."""

    kind: Literal["exchange"]
    """Always `exchange`."""
    electrodes: list[Electrode] = Field(min_length=2, max_length=2)
    """Two different limb electrodes or two different chest electrodes."""

    @model_validator(mode="after")
    def of_one_region(self) -> "Exchange":
        """Require electrodes of one region: the effect of a limb-chest swap is not a permutation of the leads."""
        first, second = (name.startswith("V") for name in self.electrodes)
        if first != second or self.electrodes[0] == self.electrodes[1]:
            raise ValueError("expected two different electrodes, both on the limbs or both on the chest")
        return self


class Drop(Section):
    """Leads that are missing."""

    kind: Literal["drop"]
    """Always `drop`."""
    leads: int = Field(ge=1, le=11)
    """Number of missing leads, drawn for each record."""


class Robustness(Section):
    """Linear probes with fewer leads, and on disturbed test records."""

    representation: Representation = "pooled"
    """Features that are probed."""
    lead_sets: list[list[Lead]] = [["I", "II", "III", "aVR", "aVL", "aVF"], ["I", "II", "V2"], ["I"]]
    """Lead sets; a probe is trained and tested on each. All twelve leads are always included. I and II alone hold what
    the six limb leads hold, because they determine the other four."""
    disturbances: list[Annotated[Noise | Exchange | Drop, Field(discriminator="kind")]] = []
    """Disturbances, applied one at a time to test records. The probe is trained on undisturbed records."""
    seed: int = Field(default=0, ge=0)
    """Seed of the noise and of the choice of missing leads."""

    @field_validator("lead_sets")
    @classmethod
    def of_different_leads(cls, lead_sets: list[list[Lead]]) -> list[list[Lead]]:
        """Require at least one lead in each set, and no lead twice."""
        for leads in lead_sets:
            if not leads or len(set(leads)) < len(leads):
                raise ValueError(f"expected different leads in each set, at least one, not {leads}")
        return lead_sets


class ZeroShot(Section):
    """Zero-shot classification by the similarity of an ECG to a prompt per class."""

    prompts: Literal["statements", "ckepe"] = "statements"
    """Prompt set. `statements` ships with the package; `ckepe` is the published file and needs `protocol.way`."""
    ensemble: bool = False
    """Whether each prompt is put into several templates whose embeddings are averaged."""
    bootstrap: int = Field(default=1000, ge=10)
    """Bootstrap replicates of the test split, for confidence intervals."""


class Finetune(Section):
    """Fine-tuning of the whole encoder, compared with the same architecture trained from scratch; off by default."""

    enabled: bool = False
    """Whether the stage runs. If false, it writes an empty result."""
    fractions: list[Fraction] = Field(default=[0.01, 0.1, 1.0], min_length=1)
    """Fractions of the training split, above 0 and at most 1. The subsets are those of the linear probe."""
    seeds: int = Field(default=3, ge=1)
    """Runs per fraction. Each has its own subset (below 1), batch order and initial weights (from scratch)."""
    epochs: int = Field(default=30, ge=1)
    """Most epochs of a run."""
    batch: int = Field(default=64, ge=1)
    """Records per optimiser step."""
    min_updates: int = Field(default=20, ge=1)
    """Fewest updates per epoch. With few labels, one epoch is several passes over them."""
    lr: float = Field(default=5e-4, gt=0)
    """Peak learning rate of the classification head when fine-tuning."""
    layer_decay: float = Field(default=0.75, gt=0, le=1)
    """Factor on the learning rate from each layer to the one below it when fine-tuning."""
    scratch_lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate of all layers from scratch."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps in which the learning rate rises."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Weight decay of matrices."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient; larger gradients are scaled down to it."""
    patience: int = Field(default=8, ge=1)
    """Epochs without a better macro AUROC on the validation split after which a run stops."""
    bootstrap: int = Field(default=1000, ge=10)
    """Bootstrap replicates of the test split, for confidence intervals."""


class Attentive(Section):
    """The attentive-pooling probe: a learned query over the tokens of a frozen encoder, with a linear layer. No stage
    runs it; `python -m cgdmer attentive-probe` does. Beside it, the same training holds the query at zero, which is the
    mean over tokens."""

    fractions: list[Fraction] = Field(default=[0.01, 0.1, 1.0], min_length=1)
    """Fractions of the training split, above 0 and at most 1. The subsets are those of the linear probe."""
    seeds: int = Field(default=3, ge=1)
    """Runs per fraction. Each has its own subset (below 1) and batch order."""
    epochs: int = Field(default=40, ge=1)
    """Most epochs of a run. The epoch with the highest macro AUROC on the validation split is used."""
    batch: int = Field(default=64, ge=1)
    """Records per update."""
    min_updates: int = Field(default=20, ge=1)
    """Fewest updates per epoch. With few labels, one epoch is several passes over them."""
    lr: float = Field(default=0.01, gt=0)
    """Learning rate (Adam)."""
    weight_decay: list[Annotated[float, Field(ge=0)]] = Field(default=[0.03, 0.3, 3.0, 30.0], min_length=1)
    """Candidates for the decoupled weight decay of query and linear layer, each at least 0 and below 1 / `lr`. They are
    trained side by side, and the best on the validation split is used."""
    patience: int = Field(default=8, ge=1)
    """Epochs without a better macro AUROC on the validation split after which a run stops."""
    bootstrap: int = Field(default=1000, ge=10)
    """Bootstrap replicates of the test split, for confidence intervals."""

    @model_validator(mode="after")
    def decays_keep_the_sign(self) -> "Attentive":
        """Require that no weight decay takes more from a weight than the whole weight in one update."""
        if max(self.weight_decay) * self.lr >= 1:
            raise ValueError("expected every weight_decay times lr to be below 1")
        return self


class Retrieval(Section):
    """Retrieval from ECG to report and back, on held-out records of the pretraining corpora."""

    max_records: int = Field(default=2000, ge=2)
    """Most test records; a hash of their ids chooses them."""
    recall_at: list[Annotated[int, Field(ge=1)]] = Field(default=[1, 5, 10], min_length=1)
    """Ranks k at which recall is reported, each at least 1."""
    examples: Examples = "auto"
    """Whether ids and report texts of single records are saved. `auto` saves them if all pretraining corpora are
    simulated."""


class Disentanglement(Section):
    """What the shared and the specific features of an ECG encode, on held-out records of the pretraining corpora."""

    train_records: int = Field(default=2000, ge=2)
    """Most training records on which the probes of report statements are fitted."""
    test_records: int = Field(default=1000, ge=2)
    """Most test records on which they are scored."""
    min_reports: int = Field(default=10, ge=1)
    """Fewest reports, of both the training and the test records, that must contain a statement, and fewest that must
    not. Other statements are not probed."""
    bootstrap: int = Field(default=1000, ge=1)
    """Bootstrap replicates of the test records, for confidence intervals."""


class Report(Section):
    """The benchmark page."""

    title: str = "CG-DMER benchmark"
    """Title of the page."""
    fraction: Fraction = 1.0
    """Label fraction of the headline table; the nearest one that was probed is used."""
    published: bool = True
    """Whether the page has tables of published results: those read in their source and, folded, second-hand ones."""
    min_positives: int | None = Field(default=None, ge=2)
    """Adds macro AUROC over the classes with at least so many positive test records, beside that over all classes. The
    field often uses 10."""
    label_efficiency: str | None = None
    """Adds how many labels each encoder needs to reach the score that this encoder has with all labels, for example
    `handcrafted`."""
    examples: Examples = "auto"
    """Whether drawings of records of real corpora carry their ids and report texts. `auto` leaves them out."""
