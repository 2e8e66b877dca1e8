"""XML as text: elements, attributes, and formatting as elements around text, as yjs itself prints it.

Unlike what yjs prints it is well formed. White space counts. An embedded value is a processing instruction, `<?embed
{"image":"…"}?>`. An attribute that is no string is shown as JSON. On the way in an element is formatting if the
document has formatting and no element of that name, or if editors know it as such.
"""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat

import orjson

from collab.engine.json_view import as_json
from collab.engine.known import Known, shown
from collab.engine.marks import mark_attributes, mark_name
from collab.engine.nodes import Attributes, ElementNode, FragmentNode, Run, TextNode, XmlNode, add_run, dumps
from collab.engine.reader import DEPTH_MAX
from collab.errors import Unprocessable

TIPTAP_MARKS = {"bold", "code", "highlight", "italic", "link", "strike", "subscript", "superscript", "textStyle"}
USUAL_MARKS = frozenset(TIPTAP_MARKS | {"em", "strong", "underline"})

_NAME = re.compile(r"[^\W\d][\w.\-]*(:[^\W\d][\w.\-]*)?")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE_ESCAPES = _TEXT_ESCAPES | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def as_xml(node: XmlNode) -> str:
    """The node as XML; a fragment is its children one after the other.

    Characters that XML has not become U+FFFD. Raises Unprocessable for names that XML cannot have.
    """
    if isinstance(node, TextNode):
        return "".join(map(_run, node.runs))
    content = "".join(map(as_xml, node.children))
    if isinstance(node, FragmentNode):
        return content
    return _element(node.tag, node.attributes, content)


def element_start(element: ElementNode) -> str:
    """The start tag of an element."""
    return f"<{_start(element.tag, element.attributes)}>"


def from_xml(text: str, current: FragmentNode) -> FragmentNode:
    """The fragment that the XML describes. Raises Unprocessable with line and column of what is wrong."""
    parsing = _Parsing(Known(current))
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = parsing.start
    parser.EndElementHandler = parsing.end
    parser.CharacterDataHandler = parsing.text
    parser.ProcessingInstructionHandler = parsing.instruction
    parser.StartDoctypeDeclHandler = parsing.doctype
    try:
        parser.Parse("<fragment>", False)  # a document has one element, a fragment any number
        parser.Parse(re.sub(r"\A\s*<\?xml[^>]*\?>", "", text) + "</fragment>", True)
    except expat.ExpatError as error:
        problem = expat.ErrorString(error.code)
        raise Unprocessable(f"no well-formed XML: {problem} at line {error.lineno}, column {error.offset}") from None
    return parsing.fragment


def _element(tag: str, attributes: Attributes, content: str) -> str:
    start = _start(tag, attributes)
    return f"<{start}>{content}</{tag}>" if content else f"<{start}/>"


def _start(tag: str, attributes: Attributes) -> str:
    for name in (tag, *attributes):
        if not _NAME.fullmatch(name):
            raise Unprocessable(f"{name!r} can be no name in XML; read it as JSON")
    return "".join([tag, *(f' {name}="{_attribute(value)}"' for name, value in attributes.items())])


def _attribute(value: Any) -> str:
    return _NOT_XML.sub("\ufffd", shown(value)).translate(_ATTRIBUTE_ESCAPES)


def _run(run: Run) -> str:
    if isinstance(run.insert, str):
        content = _NOT_XML.sub("\ufffd", run.insert).translate(_TEXT_ESCAPES)
    else:
        content = f"<?embed {dumps(as_json(run.insert)).decode()}".replace("?>", r"?\u003e") + "?>"
    for key, value in reversed((run.attributes or {}).items()):
        content = _element(mark_name(key), mark_attributes(value), content)
    return content


class _Parsing:
    def __init__(self, known: Known) -> None:
        self.fragment = FragmentNode([])
        self._known = known
        self._marks: list[tuple[str, Attributes]] = []
        self._open: list[ElementNode | FragmentNode | None] = []  # None is formatting

    def start(self, tag: str, given: dict[str, str]) -> None:
        if len(self._open) > DEPTH_MAX:
            raise Unprocessable(f"the content is nested more than {DEPTH_MAX} deep")
        if not self._open:
            self._open.append(self.fragment)
            return
        attributes = {name: self._known.attribute(tag, name, value) for name, value in given.items()}
        if tag not in self._known.tags and (tag in self._known.marks or tag in USUAL_MARKS):
            self._marks.append((tag, attributes))
            self._open.append(None)
            return
        element = ElementNode(tag, attributes, [])
        self._parent().children.append(element)
        self._open.append(element)

    def end(self, tag: str) -> None:
        if self._open.pop() is None:
            self._marks.pop()

    def text(self, text: str) -> None:
        self._add(Run(text, self._known.formatting(self._marks)))

    def instruction(self, target: str, data: str) -> None:
        if target != "embed":
            raise Unprocessable(f"an unknown processing instruction {target!r}")
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise Unprocessable(f"an embedded value is no JSON: {error}") from None
        self._add(Run(self._known.embed(value), self._known.formatting(self._marks)))

    def doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        raise Unprocessable("a document type declaration is not taken")  # its entities could grow without end

    def _add(self, run: Run) -> None:
        children = self._parent().children
        last = children[-1] if children else None
        if not isinstance(last, TextNode):
            last = TextNode([])
            children.append(last)
        add_run(last.runs, run)

    def _parent(self) -> ElementNode | FragmentNode:
        return next(opened for opened in reversed(self._open) if opened is not None)
