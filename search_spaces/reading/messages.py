"""What is wrong with a grid and what is allowed instead, in the user's words.

pydantic says which key paths are wrong; what a key allows is read from the JSON Schema of ``Grid``, so that a message
says the same as the editor.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from search_spaces.axes import Problem, number_hint
from search_spaces.errors import suggest
from search_spaces.reading.key_schemas import (
    COORDINATES,
    Schema,
    choice_label,
    chosen_forms,
    form_names,
    forms,
    literals_of,
    resolve,
    schemas_at,
    section_keys,
)
from search_spaces.recipe import section_path
from search_spaces.yaml_text import KeyPath, Value, printable, show

MAX_PROBLEMS = 20  # that a message lists


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
    return [Problem(path, _problem_text(path, detail, data)) for path, detail in shown]


def describe_key(path: KeyPath, data: Mapping[str, Value]) -> str:
    """What the key at ``path`` may hold: ``an integer >= 1 and <= 1,000``."""
    return _describe(schemas_at(path, data))


def refusal(path: KeyPath, value: Value, data: Mapping[str, Value]) -> str:
    """Why ``value`` cannot stand at ``path``."""
    schemas = schemas_at(path, data)
    words = [word for schema in schemas for word in literals_of(schema)]
    if value is None:
        optional = "" if path[-1] in _required(path, data) else ", or leave the key out"
        return f"is empty; it must be {_describe(schemas)}{optional}"
    if isinstance(value, str) and words and all(literals_of(schema) for schema in schemas):
        return f"'{printable(value)}' is unknown; {suggest(value, words)}"
    types = {schema.get("type") for schema in schemas}
    hint = number_hint(value) if types & {"integer", "number"} else ""
    if "string" in types and not words and isinstance(value, int | float):
        hint = f"; write '{show(value)}' in quotes for the text"
    return f"{show(value)} is not allowed: it must be {_describe(schemas)}{hint}"


def refused_axis_value(error: ValidationError, key: str, value: Value, data: Mapping[str, Value]) -> str:
    """Why ``value`` of the axis ``key`` gives no valid section: what the section itself says of it, if it does."""
    said = [str(detail["ctx"]["error"]) for detail in error.errors() if detail["type"] == "value_error"]
    return said[0] if said else refusal(section_path(key), value, data)


def unknown_axis(name: str, known: Sequence[str], data: Mapping[str, Value]) -> str:
    """Why ``name`` cannot be an axis of the grid ``data``; of the ``known`` axes it tells those that lie near."""
    if name in COORDINATES:
        what, axis = COORDINATES[name]
        return f"{what} is the axis '{axis}'; write that"
    section, _, key = name.partition(".")
    keys = [k.removeprefix(f"{section}.") for k in known if k.startswith(f"{section}.")]
    if keys and not key:
        return f"{section} is a section; these keys of it can be axes: {', '.join(f'{section}.{k}' for k in keys)}"
    schemas, here = resolve(section_path(section), data)
    if keys:
        named = choice_label(schemas, here)
        return f"{section}{f' {{{named}}}' if named else ''} has no such axis; {suggest(key, keys)}"
    if schemas:
        return f"{section} has no keys in this grid, so none can be an axis"
    short = sorted({k.partition(".")[0] + (".…" if "." in k else "") for k in known})
    same_end = [k for k in known if k.endswith(f".{name}")]
    return f"no such axis; {suggest((same_end or [name])[0], known, short)}"


def _problem_text(path: KeyPath, detail: ErrorDetails, data: Mapping[str, Value]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(path, data)
        case "missing" | "union_tag_not_found":
            return f"is missing; it must be {describe_key(path, data)}"
        case "value_error":
            return str(detail["ctx"]["error"])
        case _:
            return refusal(path, _value_at(data, path), data)


def _unknown_key(path: KeyPath, data: Mapping[str, Value]) -> str:
    schemas, here = resolve(path[:-1], data)
    keys = section_keys(chosen_forms(schemas, here))
    if path[-1] in section_keys(schemas):  # of another form of the section
        return f"unknown key beside '{choice_label(schemas, here)}'; known: {', '.join(sorted(keys))}"
    return f"unknown key; {suggest(str(path[-1]), keys)}"


def _path_in(data: Mapping[str, Value], detail: ErrorDetails) -> KeyPath:
    """The key path as the user wrote it; pydantic puts the names of union branches into its own."""
    path: list[str | int] = []
    here: Any = data
    loc = detail["loc"]
    for i, part in enumerate(loc):
        inside = part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int)
        if inside and (i + 1 == len(loc) or resolve((*path, part), data)[0]):  # of unknown keys it names none below
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


def _required(path: KeyPath, data: Mapping[str, Value]) -> list[str]:
    return [key for schema in schemas_at(path[:-1], data) for key in schema.get("required", [])]


def _describe(schemas: Sequence[Schema]) -> str:
    if len(names := form_names(schemas)) > 1:
        return f"a section {{name: {' | '.join(names)}, …}}"
    wordings = dict.fromkeys(wording for schema in schemas for wording in _phrases(schema))
    if "a finite number" in wordings:
        wordings.pop("an integer", None)
    said = sorted(wordings, key=lambda wording: not wording.startswith("'"))  # words first: they are short
    return ", ".join(said[:-1]) + " or " + said[-1] if len(said) > 1 else "".join(said)


def _phrases(schema: Schema) -> list[str]:
    if words := literals_of(schema):
        return [f"'{word}'" for word in words]
    keys = sorted(section_keys([schema]), key=lambda key: key not in schema.get("required", []))
    return [f"a section {{{', '.join(keys)}}}" if keys else _DESCRIBE_TYPE[schema["type"]](schema)]


def _describe_text(schema: Schema) -> str:
    """What the text means; one with a pattern has its description for that."""
    said = str(schema.get("description", "")).replace("``", "'").removesuffix(".")
    if "pattern" in schema:
        return said
    return f"text ({said[0].lower()}{said[1:]})" if said else "text"


def _length(schema: Schema) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    between = f" of {least:,} to {most:,}" if least and most else ""
    return between or (f" of at most {most:,}" if most else "")


def _bounds(schema: Schema) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    bounds = [f"{sign} {schema[key]:,}".removesuffix(".0") for key, sign in signs.items() if key in schema]
    return " " + " and ".join(bounds) if bounds else ""


_DESCRIBE_TYPE: dict[str, Callable[[Schema], str]] = {
    "integer": lambda schema: f"an integer{_bounds(schema)}",
    "number": lambda schema: f"a finite number{_bounds(schema)}",
    "boolean": lambda _: "true or false",
    "string": _describe_text,
    "array": lambda schema: f"a list{_length(schema)}, each item {_describe(list(forms(schema['items'])))}",
    "object": lambda schema: f"a section, each key {_describe(list(forms(schema['additionalProperties'])))}",
}
