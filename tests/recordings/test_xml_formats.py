"""HL7 aECG, GE MUSE and Philips: the written numbers come back in mV, and what is missing or unknown is named."""

import numpy as np
import pytest
from support import ecg_xml as written

from cgdmer.errors import RecordError
from cgdmer.recordings import find_recordings, read_file, xli
from cgdmer.recordings.array_metadata import ArrayMetadata
from cgdmer.recordings.xml_formats import read_xml
from cgdmer.signals import LEADS

SIGNAL = written.microvolt()
FORMATS = {
    "aecg": written.aecg(),
    "aecg in mV": written.aecg(scale="0.001", unit="mV"),
    "philips 1.03": written.philips(version="1.03"),
    "philips 1.04 as it is": written.philips(compression="", encoding="utf-8"),
    "philips 1.04.01": written.philips(version="1.04.01", encoding="utf-8"),
    "muse of twelve leads": written.muse(leads=LEADS),
}


@pytest.mark.parametrize("name", FORMATS)
def test_written_microvolts_are_read(name):
    record = read_xml(FORMATS[name], "r.xml")
    assert (record.fs, record.leads, record.comments) == (500.0, LEADS, [])
    np.testing.assert_allclose(record.signal * 1000, SIGNAL, atol=1e-3)


def test_eight_leads_of_muse_give_twelve(tmp_path):
    (tmp_path / "r.XML").write_bytes(written.muse(step="4.88", base="5", exponent="2"))
    record = read_file(tmp_path / "r.XML")
    assert (record.fs, record.leads) == (500.0, LEADS)
    one, two = SIGNAL[:2] * 4.88e-3
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    np.testing.assert_allclose(record.signal, np.concatenate([limb, SIGNAL[6:] * 4.88e-3]), atol=1e-5)


def test_an_origin_and_a_time_in_milliseconds_count():
    record = read_xml(
        written.aecg(SIGNAL[:1], ["I"], origin="250").replace(b'0.002" unit="s"', b'4" unit="ms"'), "r.xml"
    )
    assert (record.fs, record.leads) == (250.0, ("I",))
    np.testing.assert_allclose(record.signal * 1000, SIGNAL[:1] + 250, atol=1e-3)


def test_other_known_leads_are_left_out():
    leads = [*written.STORED, "V7", "V3R"]
    signal = np.concatenate([written.microvolt(written.STORED), SIGNAL[-2:]])
    assert read_xml(written.aecg(signal, leads), "r.xml").leads == LEADS


def test_lzw_of_codes_written_by_hand():
    # codes 65, 66, 256 (= AB), 258 (defined by itself: AB + A), then the end
    bits = "".join(f"{code:010b}" for code in (65, 66, 256, 258, 1023)) + "000000"
    assert xli.inflate(bytes(int(bits[at : at + 8], 2) for at in range(0, 56, 8)), 7) == b"ABABABA"


def test_second_differences_written_by_hand():
    # 5, 7, then 2 * 7 - 5 - 3 = 6 (start value 3), then 2 * 6 - 7 - (66 - 64) = 3; the last word is not used
    words = (5, 7, 66, 64)
    assert xli.integrate(bytes(4) + bytes(words), 4, 3).tolist() == [5, 7, 6, 3]


CHANGES = {
    "aecg": {
        (b'code="RHYTHM"', b'code="OTHER"'): "no series of the code RHYTHM",
        (b"LEAD_V6", b"LEAD_Q"): "unknown lead 'Q'",
        (b"LEAD_V6", b"LEAD_V5"): "lead V5 occurs more than once",
        (b"MDC_ECG_LEAD_V6", b"MDC_PULS"): "has the code 'MDC_PULS'",
        (b'<scale value="1" unit="uV"/>', b""): "holds no <scale>",
        (b'<scale value="1" unit="uV"/>', b'<scale value="0" unit="uV"/>'): "it is not calibrated",
        (b'<scale value="1" unit="uV"/>', b'<scale value="nan" unit="uV"/>'): "is 'nan'",
        (b'<scale value="1" unit="uV"/>', b'<scale value="1" unit="mmHg"/>'): "is 'mmHg'",
        (b'<increment value="0.002" unit="s"/>', b'<increment value="0.002" unit="min"/>'): "increment is 'min'",
        (b'<increment value="0.002" unit="s"/>', b'<increment value="1e-99" unit="s"/>'): "the increment is '1e-99'",
        (b"TIME_ABSOLUTE", b"MDC_ECG_LEAD_V7"): "0 sequences of times",
        (b"<digits>", b"<digits>x "): "no whole numbers",
        (b"<digits>", b"<digits>1_0 "): "no whole numbers",
        (b"<digits>", b"<digits>1-0 "): "no whole numbers",
        (b"<digits>", b"<digits>" + b"9" * 90): "too long",
        (b'LEAD_II"/><value xsi:type="SLIST_PQ">', b'LEAD_II"/><value><digits>1</digits>'): "hold 1, 2500 samples",
    },
    "muse": {
        (b">Rhythm<", b">Other<"): "no waveform of the type Rhythm",
        (b">MICROVOLTS<", b">MILLIVOLTS<"): "is 'MILLIVOLTS'",
        (b"<LeadAmplitudeUnitsPerBit>1</LeadAmplitudeUnitsPerBit>", b""): "holds no <LeadAmplitudeUnitsPerBit>",
        (b">2500</LeadSampleCountTotal>", b">2501</LeadSampleCountTotal>"): "states 2,501 samples and holds 5,000",
        (b"<LeadSampleSize>2<", b"<LeadSampleSize>4<"): "LeadSampleSize of lead I is '4'",
        (b"<SampleExponent>0<", b"<SampleExponent>0.5<"): "SampleExponent is '0.5'",
        (b"<SampleBase>500<", b"<SampleBase>-5<"): "SampleBase is '-5'",
        (b"<WaveFormData>\n", b"<WaveFormData>\n!!"): "not base64",
        (b"<LeadID>V1<", b"<LeadID>EEG<"): "unknown lead 'EEG'",
        (b'SYSTEM "restecg.dtd"', b'[<!ENTITY a "b">]'): "declares entities",
        (b"<LeadID>V1<", b"<LeadID>&a;<"): "refers to the entity 'a'",
        (b"<RestingECG>", b"<RestingPulse>"): "no readable XML",
        (b"ISO-8859-1", b"KLINGON-1"): "unknown encoding",
    },
    "philips": {
        (b">PhilipsECG<", b">MortaraECG<"): "type 'MortaraECG'",
        (b">1.04<", b">2.00<"): "version '2.00'",
        (b'compression="XLI"', b'compression="ZIP"'): "the compression is 'ZIP'",
        (b'compression="XLI"', b'compressflag="True"'): "the compression is ''",
        (b'dataencoding="Base64"', b'dataencoding="Plain"'): "the encoding is 'Plain'",
        (b"<resolution>1<", b"<other>1<"): "no readable XML",
        (b"<signaloffset>0<", b"<signaloffset>9<"): "signaloffset is '9'",
        (b"<signalsigned>True<", b"<signalsigned>False<"): "signalsigned is 'false'",
        (b"<bitspersample>16<", b"<bitspersample>12<"): "bitspersample is '12'",
        (b'numberofleads="12"', b'numberofleads="13"'): "13 leads and 12 labels",
        (b'leadlabels="I II', b'leadlabels="II I'): "XLI of the leads II I",
        (b'durationperchannel="5000"', b'durationperchannel="4000"'): "decompresses to",
        (b'durationperchannel="5000"', b'durationperchannel="1e9"'): "durationperchannel is '1e9'",
        (b'durationperchannel="5000"', b'durationperchannel="1"'): "12 leads of 0 samples",
        (b"<samplingrate>500<", b"<samplingrate>99999<"): "decompresses to",
        (b'durationperchannel="5000"', b""): "no attribute 'durationperchannel'",
        (b'compression="XLI"', b'compression=""'): "are stated, and",
    },
}
WHOLE = {"aecg": written.aecg(), "muse": written.muse(), "philips": written.philips(encoding="utf-8")}


@pytest.mark.parametrize(
    ("kind", "change"), [(kind, change) for kind, changes in CHANGES.items() for change in changes]
)
def test_what_is_wrong_is_named_with_the_file(kind, change):
    assert change[0] in WHOLE[kind]
    with pytest.raises(RecordError, match=r"r\.xml: ") as error:
        read_xml(WHOLE[kind].replace(*change), "r.xml")
    assert CHANGES[kind][change] in error.value.problem


@pytest.mark.parametrize("make", [written.aecg, lambda signal: written.philips(signal, compression="")])
def test_limb_leads_that_contradict_each_other_are_refused(make):
    wrong = SIGNAL.copy()
    wrong[1] = wrong[1] * 2
    with pytest.raises(RecordError, match="the name or scale of a lead is wrong"):
        read_xml(make(wrong), "r.xml")


def test_no_name_of_a_patient_is_kept():
    for data in WHOLE.values():
        assert written.PATIENT.encode() in data
        assert written.PATIENT not in repr(read_xml(data, "r.xml"))


def test_a_folder_with_other_xml_names_it_and_goes_on(tmp_path):
    (tmp_path / "a.xml").write_bytes(b"<html/>")
    (tmp_path / "b.xml").write_bytes(written.aecg())
    assert [path.member for path in find_recordings([str(tmp_path)], ArrayMetadata())] == ["a.xml", "b.xml"]
    with pytest.raises(RecordError, match=r"root <html>") as error:
        read_file(tmp_path / "a.xml")
    assert "<AnnotatedECG>, <RestingECG>, <restingecgdata>" in error.value.allowed
