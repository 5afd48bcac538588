"""A good recording in the forms from which the hostile ones are made."""

import json

import numpy as np
from support import example_recordings as example

from cgdmer.signals import LEADS
from cgdmer.waveforms import record_bytes

Files = dict[str, bytes]
"""The files of one case, by name; the recording is called `r` with any suffix."""
GOOD = (example.millivolt(1) * 1000).round().astype(np.int16)
WFDB = record_bytes("r", GOOD, 500, LEADS)
MEMBERS = record_bytes("m", GOOD, 500, LEADS)
HEADER, SIGNAL = WFDB["r.hea"], WFDB["r.dat"]
MATRIX = record_bytes("r", GOOD, 500, LEADS, fmt="16+24")
LINE = b"r.dat 16 1000/mV 16 0 0 0 0 I"
SIDECAR = json.dumps({"fs": 500, "unit": "mV", "leads": list(LEADS)}).encode()
