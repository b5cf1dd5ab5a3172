"""The values that each key of a grid may hold, read from the JSON Schema of ``Grid``, so that new keys need no code.

Some sections take several forms. The form of ``model`` follows from its ``name``, that of ``trainable`` from its key
``kernel``, ``function`` or ``loop``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from search_spaces.recipe import SECTIONS_OF_AXES
from search_spaces.sections.grid import Grid
from search_spaces.yaml_text import KeyPath, Value

Schema: TypeAlias = dict[str, Any]

# Keys that are coordinates of points: the meaning of each, and the axis that sets it.
COORDINATES = {"init.sigma_w": ("the initialization scale", "sigma_w"), "optimizer.mu": ("the momentum", "mu")}


def schemas_at(path: KeyPath, data: Mapping[str, Value]) -> list[Schema]:
    """Return every form that the key at ``path`` may take; of the forms of a section, the one that ``data`` chose."""
    return chosen_forms(*resolve(path, data))


def resolve(path: KeyPath, data: Mapping[str, Value]) -> tuple[list[Schema], Value]:
    """Return every form of the key at ``path``, and its value in ``data``, else its default, else ``{}``."""
    schemas = [_root_schema()]
    value: Any = data
    for part in path:
        children = _children(chosen_forms(schemas, value), part)
        schemas = [form for child in children for form in forms(child)]
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = _default(children)
    return schemas, value


def default_name(path: KeyPath, data: Mapping[str, Value]) -> dict[str, Value]:
    """Return ``{"name": …}`` of the section at ``path`` where the grid leaves it out; ``{}`` if it has no name."""
    default = _default(_children(schemas_at(path[:-1], data), path[-1]))
    return {"name": default["name"]} if isinstance(default, dict) and "name" in default else {}


def chosen_forms(schemas: list[Schema], section: Value) -> list[Schema]:
    """Return the form that ``section`` names, or whose first required key it holds; all forms if it chose none."""
    fitting = [schema for schema in schemas if isinstance(section, Mapping) and _fits(schema, section)]
    return fitting[-1:] or schemas  # the last: a model beside 'function', or that beside 'loop', chooses nothing


def choice_label(schemas: list[Schema], section: Value) -> str:
    """Return the choice of a form, as ``name: fc`` or ``function``; empty if ``section`` chose none."""
    chosen = chosen_forms(schemas, section)
    if not isinstance(section, Mapping) or len(chosen) == len(schemas):
        return ""
    key = str(chosen[0]["required"][0])
    return f"name: {section['name']}" if key == "name" else key


def section_keys(schemas: Iterable[Schema]) -> list[str]:
    """Return the keys of sections, each once."""
    return list(dict.fromkeys(key for schema in schemas for key in schema.get("properties", {})))


def literals_of(schema: Schema) -> list[str]:
    """Return the only words that a key may hold; empty if it may hold other values."""
    return [schema["const"]] if "const" in schema else list(schema.get("enum", []))


def form_names(schemas: Sequence[Schema]) -> list[str]:
    """Return every ``name`` that chooses one of the forms of a section."""
    names = (literals_of(schema.get("properties", {}).get("name", {})) for schema in schemas)
    return list(dict.fromkeys(name for words in names for name in words))


def forms(schema: Schema) -> Iterator[Schema]:
    """Yield the alternatives of a schema, with references followed, without null."""
    if "$ref" in schema:
        yield from forms(_root_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    elif "anyOf" in schema or "oneOf" in schema:
        for branch in schema.get("anyOf") or schema["oneOf"]:
            yield from forms(branch)
    elif schema.get("type") != "null":
        yield schema


def axis_keys(data: Mapping[str, Value]) -> list[str]:
    """Return every key of a section that can be an axis of the grid ``data``.

    Keys of ``trainable`` stand without that word.
    """
    keys = _leaf_keys(("trainable",), data)
    reads_trainable_only = "loop" in keys or "homogeneity" in keys  # an own loop, and the theory
    for section in () if reads_trainable_only else SECTIONS_OF_AXES:
        keys += [f"{section}.{key}" for key in _leaf_keys((section,), data)]
    torchvision = "data.download" in keys  # the place of its images decides nothing
    return sorted({*keys} - {*COORDINATES} - ({"data.root", "data.download"} if torchvision else set()))


def _leaf_keys(path: KeyPath, data: Mapping[str, Value]) -> list[str]:
    """Return the keys below ``path`` that hold one value, dotted."""
    schemas, section = resolve(path, data)
    free = any("additionalProperties" in s and "properties" not in s for s in schemas)  # arguments of the user's code
    keys = [*section] if free and isinstance(section, Mapping) else []
    for key in section_keys(chosen_forms(schemas, section)):
        key_forms, value = resolve((*path, key), data)
        if value is not None:
            keys += [f"{key}.{deeper}" for deeper in _leaf_keys((*path, key), data)]
        single = any(form["type"] not in {"object", "array"} for form in key_forms)
        if single and not all("const" in form for form in key_forms):
            keys.append(key)
    return keys


@cache
def _root_schema() -> Schema:
    return Grid.model_json_schema()


def _children(schemas: Iterable[Schema], part: str | int) -> list[Schema]:
    """Return the schemas of a key, or of a list's items where ``part`` is an index."""
    if isinstance(part, int):
        return [schema["items"] for schema in schemas if "items" in schema]
    found = [s.get("properties", {}).get(part) or s.get("additionalProperties") for s in schemas]
    return [schema for schema in found if schema]


def _default(schemas: Iterable[Schema]) -> Value:
    return next((schema["default"] for schema in schemas if "default" in schema), {})


def _fits(schema: Schema, section: Mapping[str, Value]) -> bool:
    """Return whether ``section`` chose this form."""
    names = form_names([schema])
    required = schema.get("required", [])
    return section.get("name") in names if names else any(key in section for key in required[:1])
