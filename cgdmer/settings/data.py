"""Settings of the data: corpora, published splits, index, signal, validation and pretraining set."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cgdmer.settings.base import Examples, Section

Source = Literal["mimic_iv_ecg", "ptb_xl", "cpsc2018", "csn"]


class Corpus(Section):
    """One corpus: where it comes from and how much of each record is used."""

    way: Literal["auto", "simulate", "local", "download"] = "auto"
    """Where the corpus comes from. `simulate` writes synthetic records, `local` reads a copy under `CGDMER_RAW_ROOT` or
    at `root`, `download` fetches it. `auto` takes the local copy if there is one and simulates otherwise."""
    root: str | None = None
    """Folder or zip in PhysioNet's layout; null searches `CGDMER_RAW_ROOT`. Naming one implies `local`."""
    url: str | None = None
    """Base URL for `download`; null means the PhysioNet address of the corpus."""
    records: int = Field(default=600, ge=8)
    """Number of records that the simulator writes; not used for real corpora."""
    seed: int = Field(default=1, ge=0)
    """Seed of the simulator. Each record depends on the seed and its own number only."""
    seconds: float = Field(default=10.0, gt=0)
    """Length used of each record, in seconds from its start. Published results on CPSC2018 use 5."""
    splits: Literal["auto", "published", "hash"] = "auto"
    """How records are split. `published` needs the published split; `hash` splits patients by a hash of their id.
    `auto` takes the published split if it names at least 90 % of the records, and the hash otherwise."""


class Protocol(Section):
    """The published split tables and zero-shot prompts."""

    way: Literal["none", "local", "download"] = "none"
    """Where the files come from. `local` reads `CGDMER_PROTOCOL_ROOT`, `download` fetches a pinned commit; both check
    sha256. With `none`, CPSC2018 and CSN are split by a hash, so results are not comparable with published ones."""
    url: str | None = None
    """Base URL for `download`; null means the public repository at the pinned commit."""


class Index(Section):
    """Rules of the index stage: which records are used and how patients are split."""

    min_report_words: int = Field(default=4, ge=0)
    """Fewest words of a pretraining report. Records with a shorter report are dropped (docs/protocols.md A.1.1)."""
    max_quarantined: float = Field(default=0.05, ge=0, le=1)
    """Largest share of a corpus that may be unusable. The stage fails above it."""
    hash_seed: int = 2024
    """Seed of the hash split. Another value gives another split."""
    val_fraction: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of patients in the validation split of a hash split."""
    test_fraction: float = Field(default=0.2, gt=0, lt=0.5)
    """Share of patients in the test split of a hash split."""


class Signal(Section):
    """The canonical form of every signal: 12 leads, one rate, one length, int16 microvolt."""

    fs: float = Field(default=100.0, gt=0)
    """Sampling rate in Hz. Records at other rates are resampled."""
    seconds: float = Field(default=10.0, gt=0)
    """Length of each row in seconds. Shorter records are padded with zeros at the end."""
    low: float | None = Field(default=0.5, gt=0, validate_default=True)
    """Corner of the high-pass filter in Hz, below half of `fs`; null for none."""
    high: float | None = Field(default=40.0, gt=0, validate_default=True)
    """Corner of the low-pass filter in Hz, above `low`; null for none."""
    order: int = Field(default=2, ge=1, le=8)
    """Order of both Butterworth filters. They run forwards and backwards, so they do not shift the signal."""
    max_gap: float = Field(default=0.1, ge=0)
    """Longest run of missing samples (NaN), in seconds, that is interpolated linearly. A record with a longer one is
    quarantined."""
    max_flat_leads: int = Field(default=6, ge=0, le=12)
    """Largest number of flat leads. A record with more is quarantined; one with fewer is flagged and used."""
    max_amplitude_mv: float = Field(default=20.0, gt=0)
    """Largest possible absolute value of a sample after filtering, in mV. A record beyond it is quarantined."""
    verify_checksums: bool = False
    """Whether a record whose samples contradict the checksums of its WFDB header is quarantined. It costs time."""
    max_quarantined: float = Field(default=0.05, ge=0, le=1)
    """Largest share of an indexed corpus that may be unusable. The stage fails above it."""
    shard_records: int = Field(default=2048, ge=1)
    """Records per shard file."""

    @field_validator("low")
    @classmethod
    def _low_is_in_the_spectrum(cls, low: float | None, info: ValidationInfo) -> float | None:
        fs = info.data.get("fs")  # a rate that is itself wrong has its own error
        if low is None or fs is None or low < fs / 2:
            return low
        raise PydanticCustomError("low_beyond_spectrum", "is not below half of signal.fs = {fs}", {"fs": fs})

    @field_validator("high")
    @classmethod
    def _high_is_above_low(cls, high: float | None, info: ValidationInfo) -> float | None:
        low = info.data.get("low")
        if high is None or low is None or low < high:
            return high
        raise PydanticCustomError("high_below_low", "is not above signal.low = {low}", {"low": low})

    @property
    def samples(self) -> int:
        """Samples per row."""
        return round(self.fs * self.seconds)


class Validation(Section):
    """Thresholds of the Great Expectations suites. A critical failure stops the pipeline; a warning does not.

    A share may exceed its limit by what chance explains: an expectation fails if so many failing rows had a probability
    below 0.1 % at the limit. This matters for corpora of a few hundred records.
    """

    max_impossible_share: float = Field(default=0.001, ge=0, le=1)
    """Largest share of records, quarantined ones included, beyond `signal.max_amplitude_mv`, and of index rows with an
    impossible sampling rate or length (critical). In real corpora, 0.01 % of the records exceed 20 mV."""
    usual_amplitude_mv: float = Field(default=8.0, gt=0)
    """Largest usual absolute value of a sample, in mV (warning)."""
    max_flat_share: float = Field(default=0.2, ge=0, le=1)
    """Largest share of records, quarantined ones included, with a flat lead (critical). Of 63 real CSN records, 4 have
    one (95% interval 2 to 15 %); of 556 real PTB-XL records, none."""
    max_clipped: float = Field(default=0.01, ge=0, le=1)
    """Largest share of a record's samples that sit at its extreme value (warning)."""
    max_identity_uv: float = Field(default=100.0, gt=0)
    """Largest root-mean-square residual of the Einthoven and Goldberger lead identities, in microvolt."""
    min_identity_share: float = Field(default=0.95, ge=0, le=1)
    """Smallest share of records within `max_identity_uv` (critical)."""
    max_age: float = Field(default=120.0, gt=0)
    """Highest plausible age in years. PTB-XL writes 300 for "older than 89"; the reader turns it into 90."""
    max_report_words: int = Field(default=200, ge=1)
    """Most words of a report (warning)."""
    max_duplicate_signals: float = Field(default=0.02, ge=0, le=1)
    """Largest share of records whose signal occurs more than once (critical)."""
    max_duplicate_reports: float = Field(default=0.95, ge=0, le=1)
    """Largest share of reports whose text occurs more than once (warning). Machine reports repeat often."""
    examples: Examples = "auto"
    """Whether result and page show record ids and report texts. `auto` shows those of simulated corpora only."""


class Simulated(Section):
    """Simulated records that are drawn while training runs, instead of a finite corpus. `python -m cgdmer
    train-encoder` reads them; the pipeline does not, so that an edit of the simulator never reruns its pretraining."""

    records: int = Field(default=0, ge=0)
    """Records that each epoch shows, repeats included; 0 for no simulated records."""
    seed: int = Field(default=101, ge=0)
    """Seed of the records. With a seed of the section `corpora`, the encoder would be trained on its test records."""
    population: Literal["textbook", "clinical", "mixed"] = "textbook"
    """Patients of the records: `textbook` hearts with clear findings, as in the demo corpora; `clinical` ones whose
    shapes, degrees and intervals are those of real recordings; `mixed`, every fourth textbook, the others clinical."""
    pool: int = Field(default=8192, ge=2)
    """Records that are shuffled together. The pool moves on, by `pool / passes` records each time it has been shown
    once."""
    passes: int = Field(default=4, ge=1)
    """How often each record is shown; must divide `pool`. Simulating a record costs about a quarter of training on it,
    so showing it several times is faster. The first and last `pool` records of a training are shown less often."""
    shortest: float | None = Field(default=None, gt=0)
    """Length in seconds of the shortest records: each is drawn uniformly between this and `signal.seconds`. Empty: all
    have `signal.seconds`."""

    @field_validator("passes")
    @classmethod
    def _divide_pool(cls, passes: int, info: ValidationInfo) -> int:
        pool = info.data.get("pool", passes)  # a pool that is itself wrong has its own error
        if pool % passes == 0:
            return passes
        raise PydanticCustomError(
            "passes_do_not_divide_pool", "does not divide pretraining_set.simulated.pool = {pool}", {"pool": pool}
        )


class Unlabelled(Section):
    """Recordings without report, which serve the terms that need none. `python -m cgdmer train-encoder` reads them."""

    folders: list[str] = []
    """Folders of recordings in any format that `cgdmer embed` reads, below CGDMER_RAW_ROOT."""
    share: float = Field(default=0.125, gt=0, lt=1)
    """Share of each batch that is drawn from them, if there are any."""


class PretrainingSet(Section):
    """The records that pretraining uses: those of corpora, or simulated ones that are drawn while it runs."""

    sources: list[Source] = Field(default=["mimic_iv_ecg"])
    """Corpora of the pretraining set. Only records of their training splits that have a report are used. Empty if
    `simulated.records` is set."""
    simulated: Simulated = Field(default_factory=Simulated)
    """Simulated records instead of corpora."""
    unlabelled: Unlabelled = Field(default_factory=Unlabelled)
    """Recordings without report beside simulated records."""

    @model_validator(mode="after")
    def _one_kind(self) -> "PretrainingSet":
        """Refuse a pretraining set of corpora and simulated records, and one of neither."""
        if bool(self.sources) != bool(self.simulated.records):
            return self
        raise PydanticCustomError(
            "one_kind_of_records",
            "needs either sources, or simulated.records above 0 and sources: []; {present}",
            {"present": "it has both" if self.sources else "it has neither"},
        )
