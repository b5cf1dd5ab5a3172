"""What is wrong with a grid and what is allowed instead, in the user's words.

pydantic says which key paths are wrong; what a key allows is read from the JSON Schema of ``Grid``, so that a message
is right for every key there is and ever will be, and says the same as the editor.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from search_spaces.axes import Problem, number_hint
from search_spaces.errors import suggest
from search_spaces.grid import Grid
from search_spaces.yaml_text import KeyPath, Value, printable, show

MAX_PROBLEMS = 20  # that a message lists

Schema: TypeAlias = dict[str, Any]


def problems_of(error: ValidationError, data: Mapping[str, Value]) -> list[Problem]:
    """One problem a key; a key of several forms (``full`` or a count) fails each of them, said together.

    Args:
        error: of validating ``data`` as a ``Grid``.
        data: what the user wrote.
    """
    found: dict[KeyPath, ErrorDetails] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_path_in(data, detail), detail)
    # A section was meant where something inside it is wrong: then only that helps.
    outer = {path[:n] for path in found for n in range(1, len(path))}
    shown = [(path, detail) for path, detail in found.items() if path not in outer][: MAX_PROBLEMS + 1]
    return [Problem(path, _text_of(path, detail, data)) for path, detail in shown]


def allowed(path: KeyPath, data: Mapping[str, Value]) -> str:
    """What the key at ``path`` may hold: ``an integer >= 1 and <= 1,000``."""
    return _describe(_schemas_at(path, data))


def axis_keys() -> list[str]:
    """Every key of ``trainable`` that can be an axis, dotted."""
    return sorted(_leaves(_schemas_at(("trainable",), {}), ""))


def refusal(path: KeyPath, value: Value, data: Mapping[str, Value]) -> str:
    """Why ``value`` cannot stand at ``path``."""
    schemas = _schemas_at(path, data)
    words = [word for schema in schemas for word in _words(schema)]
    if value is None:
        optional = "" if path[-1] in _required(path, data) else ", or leave the key out"
        return f"is empty; it must be {_describe(schemas)}{optional}"
    if isinstance(value, str) and words and all(_words(schema) for schema in schemas):
        return f"'{printable(value)}' is unknown; {suggest(value, words)}"
    types = {schema.get("type") for schema in schemas}
    hint = number_hint(value) if types & {"integer", "number"} else ""
    if "string" in types and not words and isinstance(value, int | float):
        hint = f"; write '{show(value)}' in quotes for the text"
    return f"{show(value)} is not allowed: it must be {_describe(schemas)}{hint}"


def _text_of(path: KeyPath, detail: ErrorDetails, data: Mapping[str, Value]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            keys = [key for schema in _schemas_at(path[:-1], data) for key in schema.get("properties", {})]
            return f"unknown key; {suggest(str(path[-1]), dict.fromkeys(keys))}"
        case "missing" | "union_tag_not_found":
            return f"is missing; it must be {allowed(path, data)}"
        case "value_error":
            return str(detail["ctx"]["error"])
        case _:
            return refusal(path, _value_at(data, path), data)


def _path_in(data: Mapping[str, Value], detail: ErrorDetails) -> KeyPath:
    """The key path as the user wrote it; pydantic puts the names of union branches into its own."""
    path: list[str | int] = []
    here: Any = data
    for part in detail["loc"]:
        inside = part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int)
        if inside:
            path.append(part)
            here = here[part]  # pydantic names no item that is not there
    if detail["type"] == "missing":
        path.append(detail["loc"][-1])
    if detail["type"].startswith("union_tag"):
        path.append(str(detail["ctx"]["discriminator"]).strip("'"))
    return tuple(path)


def _value_at(data: Any, path: KeyPath) -> Value:
    for part in path:
        data = data[part]
    value: Value = data
    return value


@cache
def _root() -> Schema:
    return Grid.model_json_schema()


def _schemas_at(path: KeyPath, data: Mapping[str, Value]) -> list[Schema]:
    """Every form the key at ``path`` may take; of sections with a name, the one that ``data`` names."""
    schemas = [_root()]
    here: Any = data
    for part in path:
        if isinstance(part, int):
            schemas = [form for s in schemas if "items" in s for form in _forms(s["items"])]
        else:
            inner = [s["properties"][part] for s in schemas if part in s.get("properties", {})]
            schemas = [form for schema in inner for form in _forms(schema)]
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = {}
        schemas = _named(schemas, here)
    return schemas


def _forms(schema: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        yield from _forms(_root()["$defs"][schema["$ref"].rpartition("/")[2]])
    elif "anyOf" in schema or "oneOf" in schema:
        for branch in schema.get("anyOf") or schema["oneOf"]:
            yield from _forms(branch)
    elif schema.get("type") != "null":
        yield schema


def _named(schemas: list[Schema], here: object) -> list[Schema]:
    name = here.get("name") if isinstance(here, Mapping) else None
    chosen = [s for s in schemas if name in _words(s.get("properties", {}).get("name", {}))]
    return chosen or schemas


def _required(path: KeyPath, data: Mapping[str, Value]) -> list[str]:
    return [key for schema in _schemas_at(path[:-1], data) for key in schema.get("required", [])]


def _words(schema: Schema) -> list[str]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", []))


def _leaves(schemas: Sequence[Schema], prefix: str) -> set[str]:
    keys: set[str] = set()
    for schema in schemas:
        for key, inner in schema.get("properties", {}).items():
            forms = list(_forms(inner))
            deeper = _leaves(forms, f"{prefix}{key}.")
            plain = any("properties" not in form for form in forms)
            keys |= deeper | ({f"{prefix}{key}"} if plain else set())
    return keys


def _describe(schemas: Sequence[Schema]) -> str:
    forms = list(dict.fromkeys(form for schema in schemas for form in _wordings(schema)))
    return ", ".join(forms[:-1]) + " or " + forms[-1] if len(forms) > 1 else "".join(forms)


def _wordings(schema: Schema) -> list[str]:
    if words := _words(schema):
        return [f"'{word}'" for word in words]
    keys = ", ".join(schema.get("properties", {}))
    return [f"a section {{{keys}}}" if keys else _PLAIN[schema.get("type", "object")](schema)]


_PLAIN: dict[str, Callable[[Schema], str]] = {
    "integer": lambda schema: f"an integer{_bounds(schema)}",
    "number": lambda schema: f"a finite number{_bounds(schema)}",
    "boolean": lambda _: "true or false",
    "string": lambda schema: str(schema.get("description", "text")),
    "array": lambda schema: f"a list{_most(schema)}, each item {_describe(list(_forms(schema['items'])))}",
    "object": lambda _: "a section with keys",
}


def _most(schema: Schema) -> str:
    return f" of at most {schema['maxItems']:,}" if "maxItems" in schema else ""


def _bounds(schema: Schema) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    bounds = [f"{sign} {schema[key]:,}".removesuffix(".0") for key, sign in signs.items() if key in schema]
    return " " + " and ".join(bounds) if bounds else ""
