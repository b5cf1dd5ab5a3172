"""Drawings on a page: one ``<svg>`` a panel, so that a narrow page stacks them, with the points that its marks show."""

import re
from xml.etree import ElementTree

import pandas as pd
from markupsafe import Markup

from results.figures.drawing import Rendered
from results.figures.layout import panel_id
from results.figures.row_ids import parse_id
from results.pages.markup import render_own

_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LONG_DECIMAL = re.compile(r"\d+\.\d{3,}")
_COORDINATES = frozenset(("d", "x", "y"))  # in points: two decimals are finer than any screen


def render_panels(drawing: Rendered) -> Markup:
    """Return the panels of a drawing.

    The name of the drawing prefixes all ids, since drawings share the ids of a page. An element has the attribute
    ``data-point`` if it shows one point, and ``data-eta`` if it shows several of one η.

    Args:
        drawing: The drawing. What belongs to none of its panels is left out.
    """
    root = ElementTree.fromstring(drawing.svg)
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    _strip(root)
    _name_points(root, drawing.data)
    prefix = re.sub(r"[^A-Za-z0-9]", "-", drawing.name)
    ids = [panel_id(k) for k in range(len(drawing.panels))]
    parts: dict[str, list[ElementTree.Element]] = {id_: [] for id_ in ids}
    parts[ids[0]] += root.findall("defs")  # clips of all panels
    for group in root.iterfind("g/g"):
        parts.get(group.get("id", "").removesuffix("-key"), []).append(group)
    _rename_ids(root, prefix)
    column = width / len(ids)
    return render_own(
        "panels.html",
        drawing=drawing,
        prefix=prefix,
        views=[f"{k * column:g} 0 {column:g} {height:g}" for k in range(len(ids))],
        decades=[*drawing.decades, *(0.0 for _ in ids)],
        contents=[Markup("".join(map(_to_text, parts[id_]))) for id_ in ids],
    )


def _strip(root: ElementTree.Element) -> None:
    """Remove namespaces, metadata, style rules, needless decimals and space between tags."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style", "}script")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        for key in _COORDINATES & element.attrib.keys():
            element.set(key, " ".join(_LONG_DECIMAL.sub(_round, element.attrib[key]).split()))
        element.tail = None  # text is drawn as paths; what remains is space between tags
        element.text = (element.text or "").strip()


def _round(number: re.Match[str]) -> str:
    """Return a decimal with two places."""
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _name_points(root: ElementTree.Element, data: pd.DataFrame) -> None:
    """Say of each mark and curve which point it shows, or which η, by the ids of ``results.figures.row_ids``."""
    for group in root.iter("g"):
        if (name := group.get("id", "").partition(".")[0]) == "kappa":
            group.set("class", name)
        shown = parse_id(group.get("id", ""))
        if shown is None:
            continue
        if shown.kind != "marks":
            name = "point" if shown.kind == "curve" else "eta"
            group.set(f"data-{name}", str(data[name].iloc[shown.rows[0]]))
            continue
        marks = [element for element in group.iter("use") if element.get("x")]
        if len(marks) == len(shown.rows):  # none if they are drawn as pixels
            for mark, row in zip(marks, shown.rows, strict=True):
                mark.set("data-point", str(data["point"].iloc[row]))


def _rename_ids(root: ElementTree.Element, prefix: str) -> None:
    """Put the prefix on every id that is referred to, and on the references; remove the other ids."""
    used: set[str] = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            used.update(_REFERENCE.findall(value), [value[1:]] if key == "href" and value.startswith("#") else [])
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id" and value not in used:
                del element.attrib[key]
            elif key == "id":
                element.set(key, f"{prefix}-{value}")
            elif key == "href" and value.startswith("#"):
                element.set(key, f"#{prefix}-{value[1:]}")
            else:
                element.set(key, _REFERENCE.sub(rf"url(#{prefix}-\1)", value))


def _to_text(element: ElementTree.Element) -> str:
    """Return an element as HTML."""
    return ElementTree.tostring(element, encoding="unicode", short_empty_elements=False)
