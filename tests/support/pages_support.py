"""Pages as tests read them, and a drawing to put on them."""

from html.parser import HTMLParser

import pandas as pd

from results.figures.drawing import Rendered

SVG = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="20pt" height="10pt" viewBox="0 0 20 10"
 xmlns="http://www.w3.org/2000/svg" version="1.1">
 <metadata><rdf xmlns="http://example.invalid/">x</rdf></metadata>
 <defs><style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style></defs>
 <g id="figure_1">
  <g id="panel0">
   <g id="marks-0-1"><defs><path id="m1" d="M 0 0"/></defs><g clip-path="url(#p1)">
    <use xlink:href="#m1" x="1.23456" style="fill: url(#p1)"/><use xlink:href="#m1" x="2"/></g></g>
   <g id="curve-2"><path d="M 1 1"/></g>
  </g>
  <g id="panel1"><g id="line-0.zero"><path d="M 2 2"/></g><g id="marks-0-1"><image/></g></g>
  <g id="panel1-key"><path d="M 3 3"/></g>
 </g>
 <defs><clipPath id="p1"><rect x="0" y="0" width="5" height="5"/></clipPath></defs>
</svg>"""
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Collects tags, ids, headings, loads; fails on a tag that is not closed in order."""

    def __init__(self, source: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for key, value in attrs if key == "id"]
        self.links += [value for key, value in attrs if key in {"href", "src", "xlink:href", "data"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def drawing_of(name="sweep", title="Sweep") -> Rendered:
    """A drawing of two panels, whose table has three rows."""
    data = pd.DataFrame({"point": ["p0", "p1", "p2"], "eta": [0.1, 0.3, 1.0], "panel": "curve"})
    texts = {"name": name, "title": title, "caption": "What it shows", "csv": "x\n1\n"}
    return Rendered(**texts, panels=("a", "b"), svg=SVG, png=b"", data=data)
