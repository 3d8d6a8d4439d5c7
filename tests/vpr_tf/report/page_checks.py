"""What must hold for every page."""

import re
from html.parser import HTMLParser

_VOID = {"meta", "br", "img", "wbr", "link", "input", "hr"}


class PageReader(HTMLParser):
    """Collects the text and the references of a page; notices bad nesting."""

    def __init__(self, html):
        super().__init__()
        self.open_tags, self.references, self.tags, self.ids = [], [], [], []
        self.texts = []
        self.feed(html)
        self.close()
        assert not self.open_tags
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.texts.append("" if tag == "wbr" else " ")
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                self.references.append(value)
            if name == "id":
                self.ids.append(value)
            assert not name.startswith("on")
        if tag not in _VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open_tags.pop()

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open_tags):
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))


def read_page(html):
    """Returns a page that is balanced and refers to nothing outside its folder."""
    page = PageReader(html)
    for reference in page.references:
        beside = re.fullmatch(r"[a-z_]+\.(csv|json|md)", reference)
        inside = reference.startswith(("#", "data:image/jpeg;base64,"))
        assert beside or inside, reference[:80]
    for name in (r[1:] for r in page.references if r.startswith("#")):
        assert name in page.ids, name
    assert "//" not in re.sub(r"data:[^\"]*|\n\s*// [^\n]*", "", html)
    assert "@import" not in html
    assert html.count("<script>") == 1
    return page
