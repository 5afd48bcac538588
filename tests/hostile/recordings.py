"""Hostile recordings by name: each must be rejected or be marked doubtful, and none may stop the others."""

from hostile.array_cases import csv, npy, sidecars
from hostile.clinical_cases import dicom, edf, zips
from hostile.device_cases import aecg, muse, philips, scp, xml
from hostile.mat_cases import mat
from hostile.records import Files
from hostile.wfdb_cases import wfdb

KINDS = (wfdb, mat, npy, sidecars, csv, edf, dicom, xml, aecg, muse, philips, scp, zips)


def all_cases() -> dict[str, Files]:
    """Return the files of every case by its name."""
    made: dict[str, Files] = {}
    for kind in KINDS:
        for name, files in kind():
            assert name not in made, name
            made[name] = files
    return made
