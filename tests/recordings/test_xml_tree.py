"""XML without entities: bombs are refused before they expand, and size, depth and number are bounded."""

import pytest

from cgdmer.errors import RecordError
from cgdmer.recordings import xml_tree
from cgdmer.recordings.xml_tree import parse

LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
REFUSED = {
    "billion laughs": f'<!DOCTYPE r [<!ENTITY a0 "ha">{LAUGHS}]><r>&a11;</r>',
    "quadratic": f'<!DOCTYPE r [<!ENTITY a "{"x" * 50_000}">]><r>{"&a;" * 50_000}</r>',
    "external": '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>',
    "parameter": '<!DOCTYPE r [<!ENTITY % a SYSTEM "http://localhost/x"> %a;]><r/>',
    "attributes by default": f'<!DOCTYPE r [<!ATTLIST b c CDATA "{"x" * 50_000}">]><r>{"<b/>" * 50_000}</r>',
    "external DTD and its entity": '<!DOCTYPE r SYSTEM "http://localhost/x.dtd"><r>&a;</r>',
    "deep": "<r>" * 70 + "</r>" * 70,
    "cut": "<r><a></a>",
    "nothing": "",
    "two roots": "<r/><r/>",
    "encoding": '<?xml version="1.0" encoding="UTF-7"?><r/>',
    "no such encoding": '<?xml version="1.0" encoding="none"?><r/>',
}


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_xml_is_refused(name):
    with pytest.raises(RecordError):
        parse(REFUSED[name].encode())


def test_size_and_number_are_bounded(monkeypatch):
    monkeypatch.setattr(xml_tree, "MAX_ELEMENTS", 100)
    assert len(parse(b"<r>" + b"<a/>" * 99 + b"</r>").children) == 99
    with pytest.raises(RecordError, match="too many"):
        parse(b"<r>" + b"<a/>" * 100 + b"</r>")
    monkeypatch.setattr(xml_tree, "LIMIT", 10)
    with pytest.raises(RecordError, match="11 bytes"):
        parse(b"<r>1234</r>")


def test_names_lose_their_namespaces_and_texts_their_blanks():
    root = parse('<a:r xmlns:a="u" a:k="v"> 1<a:b>x</a:b>2 <b>\u00e4</b></a:r>'.encode())
    assert (root.name, root.attribute("k"), root.text) == ("r", "v", "12")
    assert [child.text for child in root.all("b")] == ["x", "\u00e4"]
    with pytest.raises(RecordError, match="<r> holds no <b><c>"):
        root.required("b/c")
