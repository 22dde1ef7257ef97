"""Reading pages in tests: is the HTML well-formed, is anything in it that the policy forbids, what does it offer?"""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_EXECUTABLE = ("javascript:", "vbscript:")


@dataclass
class Form:
    """A form on a page, with what a browser would send if nothing was changed."""

    method: str
    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Document(HTMLParser):
    """A parsed page. `faults` says what is wrong with it."""

    source: str
    faults: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    text: str = ""
    title: str = ""
    h1: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    controls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self._open]
        doubled = {id_ for id_ in self.ids if self.ids.count(id_) > 1}
        self.faults += [f"id {id_} is there twice" for id_ in sorted(doubled)]
        self.faults += [f"no control has the id {name} of a label" for name in self.labels if name not in self.ids]
        self.faults += [f"the control {id_} has no label" for id_ in self.controls if id_ not in self.labels]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look_at(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look_at(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> where {self._open[-1:]} is open")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        within = self._open[-1] if self._open else ""
        if within in ("script", "style") and data.strip():
            self.faults.append(f"inline <{within}>")
        if within == "title":
            self.title += data
        elif within == "h1":
            self.h1.append(data)
        self.text += data

    def _look_at(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if len(values) != len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        for name, value in values.items():
            if name == "style" or name.startswith(("on", "hx-on", "hx-vals", "hx-vars")):
                self.faults.append(f"<{tag} {name}>")
            if name in ("href", "src", "action") and value.strip().lower().startswith(_EXECUTABLE):
                self.faults.append(f"<{tag} {name}={value}>")
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "label" and "for" in values:
            self.labels.append(values["for"])
        elif tag == "form":
            self.forms.append(Form(values.get("method", "get"), values.get("action", "")))
        self._look_at_control(tag, values)

    def _look_at_control(self, tag: str, values: dict[str, str]) -> None:
        if tag not in ("input", "select", "textarea") or "hidden" in values or values.get("type") == "hidden":
            return
        if "id" in values:
            self.controls.append(values["id"])
        elif "label" not in self._open:
            self.faults.append(f"a <{tag}> has no label")
