"""Owns the settings of data: corpora, protocol files, index, signal, validation, pool."""

from typing import Literal

from pydantic import Field

from cgdmer.settings.base import Examples, Section

Source = Literal["mimic_iv_ecg", "ptb_xl", "cpsc2018", "csn"]


class Corpus(Section):
    """One corpus: where it comes from and how much of each record is used."""

    way: Literal["auto", "simulate", "local", "download"] = "auto"
    """`auto` takes the copy under CGDMER_RAW_ROOT where there is one and simulates otherwise."""
    root: str | None = None
    """A folder or zip laid out like PhysioNet's; naming one makes the way `local`."""
    url: str | None = None
    """Base URL for `download`; null means the corpus's own PhysioNet address."""
    records: int = Field(default=600, ge=8)
    """How many records the simulator writes."""
    seed: int = Field(default=1, ge=0)
    """Seed of the simulator."""
    seconds: float = Field(default=10.0, gt=0)
    """Use the first so many seconds of a record; CPSC2018 is compared on its first 5."""
    splits: Literal["auto", "published", "hash"] = "auto"
    """`auto` takes the published split when it names 90 % of the records of a task or more, else a patient's hash."""


class Protocol(Section):
    """The published split tables and zero-shot prompts."""

    way: Literal["none", "local", "download"] = "none"
    """`local` reads CGDMER_PROTOCOL_ROOT; `download` takes the pinned commit; both check sha256."""
    url: str | None = None
    """Base URL for `download`; null means the public repository at the pinned commit."""


class Index(Section):
    """Rules of the index stage."""

    min_report_words: int = Field(default=4, ge=0)
    """A pretraining report with fewer words is dropped with its record (docs/protocols.md A.1.1)."""
    max_quarantined: float = Field(default=0.05, ge=0, le=1)
    """Stop when a larger share of a corpus cannot be used."""
    hash_seed: int = 2024
    """Salt of the patient-wise hash split."""
    val_fraction: float = Field(default=0.1, gt=0, lt=0.5)
    test_fraction: float = Field(default=0.2, gt=0, lt=0.5)
    """Shares of patients in the hash split."""


class Signal(Section):
    """The one canonical form of a signal: 12 leads, one rate, one length, int16 microvolt."""

    fs: float = Field(default=100.0, gt=0)
    """Sampling rate in Hz."""
    seconds: float = Field(default=10.0, gt=0)
    """Length of a row; shorter records are padded with zeros at the end."""
    low: float | None = 0.5
    """High-pass corner in Hz, null for none."""
    high: float | None = 40.0
    """Low-pass corner in Hz, null for none."""
    order: int = Field(default=2, ge=1, le=8)
    """Order of each Butterworth corner, applied forwards and backwards."""
    max_gap: float = Field(default=0.1, ge=0)
    """Missing samples (NaN) are bridged linearly up to so many seconds in a row; longer gaps quarantine the record."""
    max_flat_leads: int = Field(default=6, ge=0, le=12)
    """A record with more flat leads than this is quarantined; fewer are flagged and kept."""
    max_quarantined: float = Field(default=0.05, ge=0, le=1)
    """Stop when a larger share of an indexed corpus cannot be used."""
    shard_records: int = Field(default=2048, ge=1)
    """Records a shard file."""

    @property
    def samples(self) -> int:
        """Samples a row."""
        return round(self.fs * self.seconds)


class Validation(Section):
    """Thresholds of the Great Expectations suites."""

    max_amplitude_mv: float = Field(default=20.0, gt=0)
    """No sample may lie further from zero (critical)."""
    usual_amplitude_mv: float = Field(default=8.0, gt=0)
    """A record beyond this is a warning."""
    max_flat_share: float = Field(default=0.1, ge=0, le=1)
    """Largest share of records with a flat lead (warning)."""
    max_clipped: float = Field(default=0.01, ge=0, le=1)
    """Largest share of samples of a record at its extreme value (warning)."""
    max_identity_uv: float = Field(default=100.0, gt=0)
    """Largest root-mean-square residual of the Einthoven and Goldberger identities, microvolt."""
    min_identity_share: float = Field(default=0.95, ge=0, le=1)
    """Share of records that must meet it (critical)."""
    max_age: float = Field(default=120.0, gt=0)
    """Years; PTB-XL writes 300 for 'older than 89', which the reader turns into 90."""
    max_report_words: int = Field(default=200, ge=1)
    """A longer report is a warning."""
    max_duplicate_signals: float = Field(default=0.02, ge=0, le=1)
    """Largest share of records whose signal occurs more than once (warning)."""
    max_duplicate_reports: float = Field(default=0.95, ge=0, le=1)
    """Largest share of reports whose words are another record's (warning); machine reports repeat heavily."""
    examples: Examples = "auto"
    """Whether result and page show record ids and report texts; `auto`: of simulated corpora only."""


class PretrainingSet(Section):
    """Which corpora pretraining sees."""

    sources: list[Source] = Field(default=["mimic_iv_ecg"], min_length=1)
    """Their training splits, records with a report only."""
