"""What each key of a grid may hold, from the JSON Schema of ``Grid``: right for every key there is and ever will be.

Some sections take several forms: ``model`` by its ``name``, ``trainable`` by whether it holds ``kernel``, ``function``
or ``loop``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from search_spaces.recipe import SECTIONS_OF_AXES
from search_spaces.sections.grid import Grid
from search_spaces.yaml_text import KeyPath, Value

Schema: TypeAlias = dict[str, Any]

# Keys that are coordinates of points: what each is, and the axis that sets it.
COORDINATES = {"init.sigma_w": ("the initialization scale", "sigma_w"), "optimizer.mu": ("the momentum", "mu")}


def schemas_at(path: KeyPath, data: Mapping[str, Value]) -> list[Schema]:
    """Every form that the key at ``path`` may take; of the forms of a section, the one that ``data`` chose."""
    return chosen_forms(*resolve(path, data))


def resolve(path: KeyPath, data: Mapping[str, Value]) -> tuple[list[Schema], Value]:
    """Every form of the key at ``path``, and what ``data`` says there, or else its default, or else ``{}``."""
    schemas = [_root_schema()]
    here: Any = data
    for part in path:
        inner = _children(chosen_forms(schemas, here), part)
        schemas = [form for schema in inner for form in forms(schema)]
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = _default(inner)
    return schemas, here


def default_name(path: KeyPath, data: Mapping[str, Value]) -> dict[str, Value]:
    """``{"name": …}`` of the section that stands at ``path`` where the grid leaves it out; ``{}`` if it has none."""
    default = _default(_children(schemas_at(path[:-1], data), path[-1]))
    return {"name": default["name"]} if isinstance(default, dict) and "name" in default else {}


def chosen_forms(schemas: list[Schema], here: Value) -> list[Schema]:
    """Of the forms of a section, the one that ``here`` names, or whose first required key it holds."""
    fitting = [schema for schema in schemas if isinstance(here, Mapping) and _fits(schema, here)]
    return fitting[-1:] or schemas  # the last: a model beside 'function', or that beside 'loop', chooses nothing


def choice_label(schemas: list[Schema], here: Value) -> str:
    """By what ``here`` chose one of several forms: ``name: fc`` or ``function``; empty if nothing was chosen."""
    picked = chosen_forms(schemas, here)
    if not isinstance(here, Mapping) or len(picked) == len(schemas):
        return ""
    key = str(picked[0]["required"][0])
    return f"name: {here['name']}" if key == "name" else key


def section_keys(schemas: Iterable[Schema]) -> list[str]:
    """Keys of sections."""
    return list(dict.fromkeys(key for schema in schemas for key in schema.get("properties", {})))


def literals_of(schema: Schema) -> list[str]:
    """The only words that a key may hold; empty if it may hold others."""
    return [schema["const"]] if "const" in schema else list(schema.get("enum", []))


def form_names(schemas: Sequence[Schema]) -> list[str]:
    """Every ``name`` that chooses one of the forms of a section."""
    names = (literals_of(schema.get("properties", {}).get("name", {})) for schema in schemas)
    return list(dict.fromkeys(name for words in names for name in words))


def forms(schema: Schema) -> Iterator[Schema]:
    """The alternatives of a schema, references followed, without null."""
    if "$ref" in schema:
        yield from forms(_root_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    elif "anyOf" in schema or "oneOf" in schema:
        for branch in schema.get("anyOf") or schema["oneOf"]:
            yield from forms(branch)
    elif schema.get("type") != "null":
        yield schema


def axis_keys(data: Mapping[str, Value]) -> list[str]:
    """Every key of a section that can be an axis of the grid ``data``: those of ``trainable`` without that word."""
    keys = _leaf_keys(("trainable",), data)
    own = "loop" in keys or "homogeneity" in keys  # a loop of one's own and the theory do not read these
    for section in () if own else SECTIONS_OF_AXES:
        keys += [f"{section}.{key}" for key in _leaf_keys((section,), data)]
    torchvision = "data.download" in keys  # where its images lie decides nothing
    return sorted({*keys} - {*COORDINATES} - ({"data.root", "data.download"} if torchvision else set()))


def _leaf_keys(path: KeyPath, data: Mapping[str, Value]) -> list[str]:
    """Keys below ``path`` that hold one value, dotted."""
    schemas, here = resolve(path, data)
    free = any("additionalProperties" in s and "properties" not in s for s in schemas)  # arguments of one's own code
    keys = [*here] if free and isinstance(here, Mapping) else []
    for key in section_keys(chosen_forms(schemas, here)):
        inner, value = resolve((*path, key), data)
        if value is not None:
            keys += [f"{key}.{deeper}" for deeper in _leaf_keys((*path, key), data)]
        single = any(form["type"] not in {"object", "array"} for form in inner)
        if single and not all("const" in form for form in inner):
            keys.append(key)
    return keys


@cache
def _root_schema() -> Schema:
    return Grid.model_json_schema()


def _children(schemas: Iterable[Schema], part: str | int) -> list[Schema]:
    if isinstance(part, int):
        return [schema["items"] for schema in schemas if "items" in schema]
    found = [s.get("properties", {}).get(part) or s.get("additionalProperties") for s in schemas]
    return [schema for schema in found if schema]


def _default(schemas: Iterable[Schema]) -> Value:
    return next((schema["default"] for schema in schemas if "default" in schema), {})


def _fits(schema: Schema, here: Mapping[str, Value]) -> bool:
    names = form_names([schema])
    required = schema.get("required", [])
    return here.get("name") in names if names else any(key in here for key in required[:1])
