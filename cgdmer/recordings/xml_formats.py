"""Read recordings in XML: the name of the root tells HL7 aECG, GE MUSE and Philips apart."""

from cgdmer.errors import RecordError
from cgdmer.recordings import aecg, muse, philips
from cgdmer.recordings.calibrated import MAX_QUOTED, named
from cgdmer.recordings.xml_tree import parse
from cgdmer.waveforms import Record

READERS = {aecg.ROOT: aecg.read_aecg, muse.ROOT: muse.read_muse, philips.ROOT: philips.read_philips}


def read_xml(data: bytes, name: str) -> Record:
    """Read the standard leads of an aECG, MUSE or Philips document; RecordError says what is wrong with it."""
    with named(name):
        root = parse(data)
        if root.name not in READERS:
            raise RecordError(
                f"XML with the root <{root.name[:MAX_QUOTED]}>",
                allowed=", ".join(f"<{known}>" for known in READERS) + " (HL7 aECG, GE MUSE, Philips)",
            )
        return READERS[root.name](root)
