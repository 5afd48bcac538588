"""Read the XML of Philips electrocardiographs (Sierra ECG 1.03 and 1.04): 16-bit samples, as they are or as XLI.

XLI data store III and the augmented leads as differences from what I and II give (`xli.restore_limb_leads`). Philips
publishes a schema, not the compression; that is known from the analysis of the project sierra-ecg-tools.
"""

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.recordings import xli
from cgdmer.recordings.calibrated import MAX_QUOTED, decode_base64, lead_rows, number, record, whole
from cgdmer.recordings.xml_tree import Element
from cgdmer.signals import LEADS
from cgdmer.waveforms import Record

ROOT = "restingecgdata"
TYPES, VERSIONS = ("SierraECG", "PhilipsECG"), ("1.03", "1.04", "1.04.01", "1.04.02")
STANDARD = ("STD-12", "10-WIRE")
"""Acquisition types whose channels are the twelve standard leads, in canonical order."""
MAX_LEADS, MAX_MILLISECONDS = 32, 3_600_000
MAX_SAMPLES = 1 << 25
"""Samples of all leads together: an hour of 16 leads at 500 Hz is a little less."""
SIZE = 2
"""Bytes of a sample."""


def read_philips(root: Element) -> Record:
    """Read the leads of the parsed waveforms; no element of the patient is read."""
    _check_version(root)
    details, waves = root.required("dataacquisition/signalcharacteristics"), root.required("waveforms/parsedwaveforms")
    rate = number(details.required("samplingrate").text, "samplingrate", 1, 1e5)
    duration = number(waves.attribute("durationperchannel"), "durationperchannel", 1, MAX_MILLISECONDS)
    names = _names(details, waves)
    _check_plain(details, waves)
    count = round(rate * duration / 1000)
    if not 1 <= count * len(names) <= MAX_SAMPLES:
        raise RecordError(f"{len(names)} leads of {count:,} samples", allowed=f"1 to {MAX_SAMPLES:,} samples in all")
    stored = _samples(waves, len(names), count)
    step = number(_resolution(details, waves), "the resolution", 1e-3, 1e4) / 1000
    if _compression(waves):
        stored = xli.restore_limb_leads(stored, names)
    return record({lead: stored[row] * step for lead, row in lead_rows(names).items()}, rate)


def _check_version(root: Element) -> None:
    kind, version = root.required("documentinfo/documenttype").text, root.required("documentinfo/documentversion").text
    if kind not in TYPES or version not in VERSIONS:
        raise RecordError(
            f"a document of type '{kind[:MAX_QUOTED]}', version '{version[:MAX_QUOTED]}'",
            allowed=f"{' or '.join(TYPES)}, {', '.join(VERSIONS)}",
        )


def _names(details: Element, waves: Element) -> list[str]:
    """Return the names of the channels in stored order."""
    if labels := waves.attributes.get("leadlabels", "").split():
        count = whole(waves.attribute("numberofleads"), "numberofleads", 1, MAX_LEADS)
        if count > len(labels):
            raise RecordError(f"{count} leads and {len(labels)} labels", allowed="a label for each lead")
        return labels[:count]
    kind = details.required("acquisitiontype").text
    count = whole(details.required("numberchannelsallocated").text, "numberchannelsallocated", 1, MAX_LEADS)
    if kind not in STANDARD or count < len(LEADS):
        raise RecordError(
            f"{count} channels of the acquisition type '{kind[:MAX_QUOTED]}'", allowed=", ".join(STANDARD)
        )
    return list(LEADS)


def _check_plain(details: Element, waves: Element) -> None:
    """Raise RecordError unless the samples are signed, without offset and of 16 bits."""
    bits = _stated(details, waves, "bitspersample") or waves.attributes.get("nbitspersample", "16")
    stated = {
        "signaloffset": (_stated(details, waves, "signaloffset") or "0", "0"),
        "signalsigned": (_stated(details, waves, "signalsigned").lower() or "true", "true"),
        "bitspersample": (bits, str(8 * SIZE)),
    }
    for name, (value, allowed) in stated.items():
        if value != allowed:
            raise RecordError(f"{name} is '{value[:MAX_QUOTED]}'", allowed=allowed)


def _samples(waves: Element, leads: int, count: int) -> np.ndarray:
    """Return the stored integers (L, T); channels beyond the named ones are left out."""
    if (encoding := waves.attribute("dataencoding")) != "Base64":
        raise RecordError(f"the encoding is '{encoding[:MAX_QUOTED]}'", allowed="Base64")
    data = decode_base64(waves.text)
    if _compression(waves):
        return xli.decode(data, leads, count)
    if len(data) < SIZE * leads * count or len(data) % (SIZE * count):
        raise RecordError(f"{leads} leads of {count:,} samples are stated, and {len(data):,} bytes stored")
    return np.frombuffer(data, "<i2", leads * count).reshape(leads, count).astype(np.int64)


def _compression(waves: Element) -> bool:
    """Return whether the waveforms are XLI; RecordError for another method."""
    method = waves.attributes.get("compression", waves.attributes.get("compressmethod", "")).strip()
    flag = waves.attributes.get("compressflag", "").strip().lower() == "true"
    if method.upper() not in ("", "XLI", "NONE", "UNCOMPRESSED") or (flag and method.upper() != "XLI"):
        raise RecordError(f"the compression is '{method[:MAX_QUOTED]}'", allowed="XLI, or none")
    return method.upper() == "XLI"


def _stated(details: Element, waves: Element, name: str) -> str:
    """Return an attribute of the waveforms, else the element of the acquisition, else an empty string."""
    element = details.find(name)
    return waves.attributes.get(name, "" if element is None else element.text).strip()


def _resolution(details: Element, waves: Element) -> str:
    """Return the microvolts of a unit; RecordError if they are not stated."""
    if not (text := _stated(details, waves, "resolution") or _stated(details, waves, "signalresolution")):
        raise RecordError("no resolution: the amplitude is not calibrated", allowed="microvolts for each unit")
    return text
