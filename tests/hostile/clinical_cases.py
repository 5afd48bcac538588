"""EDF and DICOM files with one field changed, and archives."""

import io
import zipfile
import zlib
from collections.abc import Iterator

from hostile.records import HEADER, MEMBERS, Files
from support.clinical import dicom_bytes, edf_bytes


def edf() -> Iterator[tuple[str, Files]]:
    """EDFs with one field of the header changed, and cut ones."""
    fields = {
        "physical limits equal": {"physical_min": "5", "physical_max": "5"},
        "digital limits equal": {"digital_min": "7", "digital_max": "7"},
        "digital limits exchanged": {"digital_min": "32767", "digital_max": "-32768"},
        "no physical limits": {"physical_min": "", "physical_max": ""},
        "text as limit": {"physical_min": "low"},
        "nan as limit": {"physical_min": "nan"},
        "infinite limit": {"physical_max": "inf"},
        "raw digits": {"physical_min": "-32768", "physical_max": "32767"},
        "microvolt": {"physical_min": "-10000", "physical_max": "10000"},
        "unit": {"dimension": "mmHg"},
        "no unit": {"dimension": ""},
        "volt": {"dimension": "V"},
        "labels": {"label": "EEG Fp1"},
        "same labels": {"label": "ECG I"},
        "no samples": {"samples": "0"},
        "negative samples": {"samples": "-5"},
        "many samples": {"samples": "99999999"},
        "text as samples": {"samples": "many"},
        "no records": {"records": "0"},
        "unfinished": {"records": "-1"},
        "many records": {"records": "99999999"},
        "no signals": {"signals": "0"},
        "many signals": {"signals": "9999"},
        "duration zero": {"duration": "0"},
        "duration negative": {"duration": "-1"},
        "duration huge": {"duration": "1e300"},
        "duration text": {"duration": "long"},
        "discontinuous": {"reserved": "EDF+D"},
    }
    yield from ((f"edf {name}", {"r.edf": edf_bytes(**changes)}) for name, changes in fields.items())
    whole = edf_bytes()
    for name, content in {
        "empty": b"",
        "cut": whole[:-9],
        "header only": whole[:256],
        "nul": bytes(5000),
        "text": b"0       " * 300,
    }.items():
        yield f"edf {name}", {"r.edf": content}


def dicom() -> Iterator[tuple[str, Files]]:
    """DICOM objects with one attribute changed, compressed ones and bombs."""
    changes = {
        "no sensitivity": {"sensitivity": None},
        "zero sensitivity": {"sensitivity": "0"},
        "unit": {"unit": "mmHg"},
        "volt": {"unit": "V"},
        "no waveform": {"groups": 0},
        "rate zero": {"rate": "0"},
        "rate huge": {"rate": "1e300"},
        "rate negative": {"rate": "-500"},
        "rate slow": {"rate": "2"},
        "samples claimed": {"samples": 2**31},
        "no samples": {"samples": 0},
        "channels claimed": {"channels": 60_000},
        "no channels": {"channels": 0},
        "sources": {"source": "EEG"},
        "same sources": {"source": "Lead I"},
        "median only": {"label": "MEDIAN BEAT"},
        "interpretation": {"interpretation": "MB"},
        "bits": {"bits": 8},
        "bits zero": {"bits": 0},
        "raw digits": {"sensitivity": "1000"},
        "deflated": {"syntax": "1.2.840.10008.1.2.1.99"},
        "big endian": {"syntax": "1.2.840.10008.1.2.2"},
        "jpeg": {"syntax": "1.2.840.10008.1.2.4.50"},
        "no syntax": {"syntax": ""},
        "long syntax": {"syntax": "1" * 64},
    }
    yield from ((f"dicom {name}", {"r.dcm": dicom_bytes(**change)}) for name, change in changes.items())
    whole = dicom_bytes()
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    meta = dicom_bytes(syntax="1.2.840.10008.1.2.1.99", deflated=bomb.compress(bytes(1 << 28)) + bomb.flush())
    others = {
        "bomb": meta,
        "empty": b"",
        "cut": whole[:900],
        "preamble": b"\0" * 128 + b"DICM",
        "text": b"DICM" * 900,
        "two syntaxes": dicom_bytes(second="1.2.840.10008.1.2.1.99"),
        "elements": whole[:400] + b"\x08\0\x05\0CS\0\0" * 100_000,
    }
    yield from ((f"dicom {name}", {"r.dcm": content}) for name, content in others.items())


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return stream.getvalue()


def zips() -> Iterator[tuple[str, Files]]:
    """Archives: a member that cannot be read is rejected alone, an unsafe name rejects the archive."""
    whole = zipped(MEMBERS)
    contents = {
        "empty": b"",
        "no zip": b"PK" * 200,
        "cut": whole[:-30],
        "traversal": zipped({"../r.hea": HEADER}),
        "absolute": zipped({"/etc/r.hea": HEADER}),
        "backslash": zipped({"a\\r.hea": HEADER}),
        "bomb": zipped({"m.hea": MEMBERS["m.hea"], "m.dat": bytes(1 << 27)}),
        "header bomb": zipped({"m.hea": bytes(1 << 26)}),
        "edf bomb": zipped({"m.edf": bytes(1 << 27)}),
        "damaged": whole[:60] + b"\xff" * 40 + whole[100:],
        "encrypted": whole.replace(b"\x14\0\0\0\x08\0", b"\x14\0\1\0\x08\0"),
        "zip in zip": zipped({"m.hea": whole}),
        "bzip2": zipped(MEMBERS, zipfile.ZIP_BZIP2),
        "lzma": zipped(MEMBERS, zipfile.ZIP_LZMA),
        "no header": zipped({"m.mat": b"x"}),
    }
    yield from ((f"zip {name}", {"r.zip": content}) for name, content in contents.items())
