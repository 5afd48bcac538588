"""Read XML into a small tree with `expat`: no entity, no DTD, no network; size, depth and number are bounded."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from cgdmer.errors import RecordError

LIMIT = 1 << 26
"""Bytes of the largest file: about half an hour of twelve leads as decimal numbers."""
MAX_DEPTH, MAX_ELEMENTS = 64, 1 << 17
"""Levels and elements of the largest tree; annotated recordings have about ten levels and a few thousand elements."""
MAX_QUOTED = 40
"""Characters of a name or value that messages quote."""


@dataclass(slots=True)
class Element:
    """An element: its name without namespace, its attributes, its children and its own text."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The element's own text, without the blanks around it."""
        return "".join(self.parts).strip()

    def all(self, path: str) -> Iterator["Element"]:
        """Yield the descendants that a path of names such as `component/series` leads to, in document order."""
        first, _, rest = path.partition("/")
        for child in self.children:
            if child.name == first:
                yield from child.all(rest) if rest else (child,)

    def find(self, path: str) -> "Element | None":
        return next(self.all(path), None)

    def required(self, path: str) -> "Element":
        """Return the first descendant at a path; RecordError if there is none."""
        if (found := self.find(path)) is None:
            raise RecordError(f"<{self.name[:MAX_QUOTED]}> holds no <{'><'.join(path.split('/'))}>")
        return found

    def attribute(self, name: str) -> str:
        """Return an attribute without the blanks around it; RecordError if it is missing."""
        if name not in self.attributes:
            raise RecordError(f"<{self.name[:MAX_QUOTED]}> has no attribute '{name}'")
        return self.attributes[name].strip()


def parse(data: bytes) -> Element:
    """Return the root of a document; RecordError if it is no XML, declares entities or exceeds a limit.

    A DOCTYPE that only names an external DTD, as MUSE writes it, is accepted and never loaded.
    """
    if len(data) > LIMIT:
        raise RecordError(f"{len(data):,} bytes of XML", allowed=f"at most {LIMIT:,}")
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = _doctype
    parser.SkippedEntityHandler = _entity
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two for an unknown encoding
        raise RecordError(f"no readable XML: {str(error)[:80]}", allowed="a complete, well-formed document") from error
    return builder.root.children[0]


class _Builder:
    """Builds the tree from the parser's events."""

    def __init__(self) -> None:
        self.root = Element("", {})
        self._open, self._count = [self.root], 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) > MAX_DEPTH:
            raise RecordError(
                "XML of too many elements or levels", allowed=f"{MAX_ELEMENTS:,} elements, {MAX_DEPTH} levels"
            )
        local = {key.rpartition("}")[2]: value for key, value in attributes.items()}
        element = Element(name.rpartition("}")[2], local)
        self._open[-1].children.append(element)
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1].parts.append(text)


def _doctype(_name: str, _system: str | None, _public: str | None, internal: int) -> None:
    if internal:
        raise RecordError(
            "XML that declares entities, attributes or elements of its own", allowed="a DOCTYPE without declarations"
        )


def _entity(name: str, _is_parameter: int) -> None:
    raise RecordError(f"XML refers to the entity '{name[:MAX_QUOTED]}', which it does not declare")
