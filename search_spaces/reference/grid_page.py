"""The reference page of the grid file, ``docs/grid.md``, generated from the schema that checks grids."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from search_spaces.axes import NAMED_AXES
from search_spaces.points import count_points
from search_spaces.reading.key_schemas import (
    COORDINATES,
    Schema,
    axis_keys,
    chosen_forms,
    form_names,
    forms,
    literals_of,
    resolve,
)
from search_spaces.reading.load import load_grid
from search_spaces.reading.messages import describe_key
from search_spaces.reference.json_schema import grid_schema
from search_spaces.yaml_text import KeyPath, read_yaml

EXAMPLE = """\
name: momentum
trainable:
  model: {name: fc, width: 64, depth: 2}
  data: {name: digits, train: 512}
  batch: 64
optimizer: {name: sgd, mu: 0.9}
schedule: {name: cosine, warmup: 0.05}
axes:
  eta: [0.03, 0.1]
  lam: [0, {log: [3e-3, 3e-2], num: 3}]     # values, ranges, or both
  seed: [0, 1]
  model.width: [64, 256]                    # a key of trainable
  optimizer.nesterov: [false, true]         # a key of another section, under its full name
budget: {rule: inverse_eta_lam, constant: 0.2, max: 500}
measure: {log: 30}
"""
SETTINGS = ("budget.max=50", "axes.seed=[0, 1, 2, 3]", "schedule={name: constant}")
ROOT_TITLE = "The whole file"
# Sections that are described at another key path.
DESCRIBED_ELSEWHERE: dict[KeyPath, KeyPath] = {("trainable", "kernel", "model"): ("trainable", "model")}

_OPENING = """\
# The grid file

A grid is one YAML file: what is trained, the axes that vary, how long each point trains, when it is measured, and how
the results are judged. This one is complete; everything that it leaves out has a default:

```yaml
{example}```

Each combination of axis values is a point, a network to train; here there are {points}. `sweeper plan FILE` shows them
and what they cost before anything runs. `sweeper schema > grid.schema.json` gives an editor all that stands below, for
completion and checks while you type.

## Axes

An axis is a list of values, of ranges `{{log: [low, high], num: n}}` (n values evenly spaced on a logarithmic scale,
both ends included), or of both; a range alone needs no list. These have names of their own:

| axis | what it is | values |
| --- | --- | --- |
{named}

{required} are in every grid; what λ means, [l2](#l2) says. Left out, {fallbacks}, and `seed` is 0.

Other keys that hold one value can be axes too: keys of `trainable` without that word, such as `model.width` or `batch`,
and keys of `optimizer`, `schedule` and `l2` with it, such as `optimizer.nesterov`. Their values are what the key
allows: numbers, words (`batch: [full, 64]`), `true` and `false`. In the grid above these can be:
{keys}.

## Settings of a command

`--set KEY=VALUE` puts one key in place of the file's, or adds it. The value is read as YAML; give the option as often
as you like:

```
sweeper run momentum.yaml {settings}
```

## How to read the tables

A key without a default is **required**. A section whose default is `{{}}` has every key at its own default; — is no
value. "Paper" is [Lewkowycz & Gur-Ari 2020](https://arxiv.org/abs/2006.08643), SM its supplementary material. Models,
data, losses and training loops of your own have [a page of their own](own-model.md)."""


def grid_page() -> str:
    """Return the page, in the Markdown of GitHub."""
    example: Any = read_yaml(EXAMPLE, "example").value
    opening = _OPENING.format(
        example=EXAMPLE,
        points=count_points(load_grid(EXAMPLE, "example")),
        named="\n".join(_named_axis(name) for name in NAMED_AXES),
        required=" and ".join(map(_code, grid_schema()["properties"]["axes"]["required"])),
        fallbacks=", ".join(f"`{axis}` is what `{key}` says" for key, (_, axis) in sorted(COORDINATES.items())),
        keys=", ".join(map(_code, axis_keys(example))),
        settings=" ".join(f"--set '{setting}'" for setting in SETTINGS),
    )
    # Functions of the user share sections with built-in models. Equal blocks stand once.
    blocks = dict.fromkeys([opening, *_sections((), {}, "")])
    return "\n\n".join(blocks) + "\n"


def _sections(path: KeyPath, data: dict[Any, Any], about: str) -> Iterator[str]:
    """Yield the section at ``path`` in each of its forms, and all sections in it.

    Args:
        path: key path of the section.
        data: part of a grid that chooses the forms of the sections around it.
        about: meaning of the section, which stands above its forms.
    """
    if path in DESCRIBED_ELSEWHERE:
        return
    found = [form for form in resolve(path, data)[0] if "properties" in form]
    if len(found) > 1:
        links = ", ".join(_link(_form_title(path, form)) for form in found)
        yield f"{_heading(path)}\n\n{about} One of {links}."
    for form in found:
        inside = _with_section(data, path, _section_of_form(form))
        heading = _heading(path, form) if len(found) > 1 else _heading(path)
        yield f"{heading}\n\n{_description(form)}\n\n{_table(path, form, inside, named=len(found) > 1)}"
        for key, schema in form["properties"].items():
            yield from _sections((*path, key), inside, _description(schema))
            yield from _sections((*path, key, 0), inside, "")  # of a list


def _table(path: KeyPath, form: Schema, data: dict[Any, Any], *, named: bool) -> str:
    """Return the table of the keys of a section; ``named`` says that the name of its form stands in the heading."""
    keys = {key: schema for key, schema in form["properties"].items() if not (named and _is_form_name(schema))}
    first = form.get("required", [])[:1]  # the function of the user stands above its arguments
    rows = [_row((*path, key), keys[key], data) for key in sorted(keys, key=lambda key: key not in first)]
    return "\n".join(["| key | allowed | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _row(path: KeyPath, schema: Schema, data: dict[Any, Any]) -> str:
    if path == ("axes",):
        cells = "[axes and their values](#axes)", _default(schema), _description(grid_schema()["properties"]["axes"])
    else:
        cells = _allowed_values(path, data), _default(schema), _description(schema)
    return " | ".join([f"| `{path[-1]}`", *(cell.replace("|", r"\|") for cell in cells)]) + " |"


def _allowed_values(path: KeyPath, data: dict[Any, Any]) -> str:
    """Return the values of a key in Markdown, with links to sections."""
    found = resolve(path, data)[0]
    section = f"[a section](#{_anchor(_title(DESCRIBED_ELSEWHERE.get(path, path)))})"
    if len(names := form_names(found)) > 1:
        return f"{section}: {', '.join(map(_code, names))}"
    if [form["type"] for form in found] == ["string"] and not literals_of(found[0]):
        return "text"  # its description stands in the column of meanings
    words = re.sub(r"a section \{.*\}", section, describe_key(path, data))
    return re.sub(r"'([^']+)'", r"`\1`", words).replace(">=", "≥").replace("<=", "≤").replace(f"{2**63:,}", "2^63")


def _default(schema: Schema) -> str:
    """Return the default of a key in Markdown."""
    if "default" not in schema:
        return "**required**"
    default = schema["default"]
    if isinstance(default, dict):  # a section: only the keys that differ from their own defaults
        keys = chosen_forms(list(forms(schema)), default)[0].get("properties", {})
        default = {key: value for key, value in default.items() if keys[key].get("default", ...) != value}
    return "—" if default is None else _code(json.dumps(default).replace('"', "").removesuffix(".0"))


def _description(schema: Schema) -> str:
    """Return the docstring of a key, else that of its only form, as one sentence or more."""
    found = list(forms(schema))
    text = schema.get("description") or (found[0].get("description", "") if len(found) == 1 else "")
    words = " ".join(text.replace("``", "`").split())
    return words if words.endswith(".") else words[:1].upper() + words[1:] + "."


def _section_of_form(form: Schema) -> dict[str, Any]:
    """Return the smallest section that chooses this form."""
    names = form_names([form])
    return {"name": names[0]} if names else {key: {} for key in form.get("required", [])[:1]}


def _is_form_name(schema: Schema) -> bool:
    """Return whether a key is the ``name`` of a form, which stands in the heading."""
    return schema.get("title") == "Name" and bool(literals_of(schema))


def _with_section(data: dict[Any, Any], path: Sequence[str | int], section: dict[str, Any]) -> dict[Any, Any]:
    """Return the grid ``data`` with ``section`` at ``path``."""
    return data | {path[0]: _with_section(data.get(path[0], {}), path[1:], section)} if path else data | section


def _named_axis(name: str) -> str:
    meaning, _, values = NAMED_AXES[name].wording.partition(" is ")
    return f"| `{name}` | {meaning} | {values.replace('>=', '≥')} |"


def _heading(path: KeyPath, form: Schema | None = None) -> str:
    depth = max(1, len([part for part in path if isinstance(part, str)]))
    return f"##{'#' * (depth if form else depth - 1)} {_form_title(path, form) if form else _title(path)}"


def _title(path: KeyPath) -> str:
    return ".".join(part for part in path if isinstance(part, str)) or ROOT_TITLE


def _form_title(path: KeyPath, form: Schema) -> str:
    """Return a form as a grid writes it, ``model: {name: fc}``; names that have the same keys are one form."""
    names = form_names([form])
    return f"`{path[-1]}: {{{'name: ' + ' | '.join(names) if names else ', '.join(form['required'])}}}`"


def _link(title: str) -> str:
    return f"[{title}](#{_anchor(title)})"


def _anchor(title: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _code(text: object) -> str:
    return f"`{text}`"
