"""Settings of the data: corpora, published splits, index, signal, validation and pretraining set."""

from typing import Literal

from pydantic import Field

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
    low: float | None = 0.5
    """Corner of the high-pass filter in Hz; null for none."""
    high: float | None = 40.0
    """Corner of the low-pass filter in Hz; null for none."""
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


class PretrainingSet(Section):
    """The corpora that pretraining uses."""

    sources: list[Source] = Field(default=["mimic_iv_ecg"], min_length=1)
    """Corpora of the pretraining set. Only records of their training splits that have a report are used."""
