"""The twelve leads: names, order, the identities between limb leads, and what follows from these."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from cgdmer.errors import RecordError

LEADS: tuple[str, ...] = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""Canonical names in canonical order."""

LIMB = 6
"""Number of limb leads; they come first."""

INDEPENDENT = (0, 1, 6, 7, 8, 9, 10, 11)
"""Canonical numbers of I, II and the chest leads, from which the other four leads follow."""

SUSPECT_UV = 20.0
"""Residual of the identities in microvolt above which lead names are suspect; consistent leads leave 0.2 to 2."""

_CANONICAL = {name.lower(): name for name in LEADS}

HEXAXIAL = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]], dtype=np.float32)
"""Limb leads as combinations of I and II (Einthoven 1913, Goldberger 1942), (6, 2); any two rows are independent."""

IDENTITIES = np.array(
    [[1, -1, 1, 0, 0, 0], [0.5, 0.5, 0, 1, 0, 0], [-0.5, 0, 0.5, 0, 1, 0], [0, -0.5, -0.5, 0, 0, 1]], dtype=np.float32
)
"""I + III = II; aVR = -(I + II) / 2; aVL = (I - III) / 2; aVF = (II + III) / 2. Each row times limb leads is zero."""

ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6")

_I_II = np.array([[-1, 1, 0], [-1, 0, 1]])  # I = LA - RA, II = LL - RA
LEADS_OF_ELECTRODES = np.block([[HEXAXIAL @ _I_II, np.zeros((LIMB, 6))], [np.full((6, 3), -1 / 3), np.eye(6)]]).astype(
    np.float32
)
"""(12, 9): Einthoven's and Goldberger's limb leads, chest leads against Wilson's central terminal."""


def canonical_lead(name: str) -> str | None:
    """Return the canonical name of a lead written in any case, or None if it is not one of the twelve."""
    return _CANONICAL.get(name.strip().lower())


def standard_rows(names: Sequence[str]) -> list[int]:
    """Return the rows of the twelve standard leads; V7 or Frank leads are left out."""
    return [row for row, name in enumerate(names) if canonical_lead(name)]


def canonical_leads(names: Sequence[str]) -> list[str]:
    """Return the canonical name of each lead, in any case; RecordError for an unknown or repeated name."""
    leads = [lead for name in names if (lead := canonical_lead(name))]
    if len(leads) < len(names):
        unknown = [name[:40] for name in names if not canonical_lead(name)][:12]
        raise RecordError(f"unknown lead names {unknown}", allowed=", ".join(LEADS) + " in any case and order")
    repeated = sorted(lead for lead in LEADS if leads.count(lead) > 1)
    if repeated:
        raise RecordError(f"leads {repeated} occur more than once", allowed="each lead once")
    return leads


def identity_residual(limb: np.ndarray) -> float:
    """Return the root-mean-square residual of the four identities in limb leads `(6, T)`, in the unit of the signal."""
    residual = IDENTITIES @ limb
    return float(np.sqrt(np.vdot(residual, residual) / residual.size))


def exchanged(limb: np.ndarray, share: float = 0.2) -> tuple[str, str] | None:
    """Return the two limb leads whose names are exchanged, or None; `limb` is `(6, T)` in microvolt.

    Two names are exchanged when the residual exceeds `SUSPECT_UV` and swapping them leaves less than `share` of it.
    Exchanged electrodes cannot be detected this way: they give other leads, but under the right names.
    """
    residual = identity_residual(limb)
    if residual <= SUSPECT_UV:
        return None
    swapped = {pair: identity_residual(limb[_swap(pair)]) for pair in combinations(range(LIMB), 2)}
    first, second = min(swapped, key=lambda pair: swapped[pair])
    return (LEADS[first], LEADS[second]) if swapped[first, second] < share * residual else None


def _swap(pair: tuple[int, int]) -> list[int]:
    """Return the order of the limb leads with two of them swapped."""
    order = list(range(LIMB))
    order[pair[0]], order[pair[1]] = pair[1], pair[0]
    return order
