"""What a case of the clinical population has beyond its findings: the shape of its beats, degrees and regions."""

from dataclasses import dataclass, field

REGIONS = ("anterior", "anteroseptal", "anterolateral", "lateral", "inferior", "inferolateral")
"""Regions of the heart in which ST segment and T wave may change."""
REGIONAL = ("st_depression", "st_elevation", "t_inversion", "nonspecific_st", "nonspecific_t")
"""Findings that have a region in the clinical population."""


@dataclass(frozen=True)
class Clinical:
    """Individual traits of a heart in the clinical population."""

    scores: tuple[float, ...]
    """Standard scores of the beat's shape (see `beat_shapes`)."""
    p_scores: tuple[float, ...]
    """Standard scores of the shape of the P wave."""
    size: float
    """Root mean square of the QRS coefficients over the leads, in mV."""
    degrees: dict[str, float] = field(default_factory=dict, hash=False)
    """Degree of each finding from 0 (borderline) to 1 (severe)."""
    regions: dict[str, str] = field(default_factory=dict, hash=False)
    """Region of the findings that have one."""
    acute: bool = False
    """True if an infarction is acute: ST elevation rather than T inversion."""
    strain: float = 0.0
    """Degree of the ST-T changes of a hypertrophied heart, 0 to 1."""

    def degree(self, name: str) -> float:
        """Return the degree of a finding; 0 if it is absent."""
        return self.degrees.get(name, 0.0)
