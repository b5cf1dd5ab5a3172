"""Drawings on a page: one picture a panel, so that a narrow page stacks them."""

import re
from xml.etree import ElementTree

from markupsafe import Markup, escape

from results.figures.drawing import Rendered

_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# matplotlib sets these with a style rule for every element of the page; as attributes they stay in the drawing
_STROKE_ATTRIBUTES = 'stroke-linejoin="round" stroke-linecap="butt"'


def render_panels(drawing: Rendered) -> Markup:
    """Return a drawing as one ``<svg>`` a panel, so that a narrow page stacks them.

    The whole figure is stored once, invisible, and each panel is a window on its column. The name of the drawing
    prefixes all ids, since drawings share the ids of a page.
    """
    root = ElementTree.fromstring(drawing.svg)
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    prefix = re.sub(r"[^A-Za-z0-9]", "-", drawing.name)
    column = width / len(drawing.panels)
    windows = "\n".join(
        f'<svg class="panel" viewBox="{k * column:g} 0 {column:g} {height:g}" role="img" '
        f'aria-labelledby="{prefix}-panel-{k}"><title id="{prefix}-panel-{k}">{escape(drawing.title)}: {escape(panel)}'
        f'</title><use href="#{prefix}-whole"></use></svg>'
        for k, panel in enumerate(drawing.panels)
    )
    return Markup(
        f'<svg class="source" aria-hidden="true" focusable="false"><defs><g id="{prefix}-whole" {_STROKE_ATTRIBUTES}>'
        f"{_strip_svg(root, prefix)}</g></defs></svg>\n{windows}"
    )


def _strip_svg(root: ElementTree.Element, prefix: str) -> str:
    """Return the contents of an SVG without namespaces, metadata and style rules, with ids and references renamed."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style", "}script")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {k.rpartition("}")[2]: _rename_reference(k, v, prefix) for k, v in element.attrib.items()}
    return "".join(ElementTree.tostring(child, encoding="unicode", short_empty_elements=False) for child in root)


def _rename_reference(key: str, value: str, prefix: str) -> str:
    """Return the value of an attribute with the prefix on every id in it."""
    if key == "id":
        return f"{prefix}-{value}"
    if key.endswith("href") and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    return _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
