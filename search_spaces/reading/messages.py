"""Messages about a grid: what is wrong and what is allowed instead, in the user's words.

pydantic says which key paths are wrong. The values that a key allows are read from the JSON Schema of ``Grid``, so that
a message says the same as the editor.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from search_spaces.axes import NAMED_AXES, Problem, number_hint
from search_spaces.errors import suggest, synonym_of
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
from search_spaces.yaml_text import KeyPath, Value, dotted, printable, show

MAX_PROBLEMS = 20  # in one message


def problems_of(error: ValidationError, data: Mapping[str, Value]) -> list[Problem]:
    """Return one problem for each wrong key.

    A value that fails each of several forms (``full`` or a count) is one problem, which names all forms.

    Args:
        error: error of validating ``data`` as a ``Grid``.
        data: content of the user's file.
    """
    found: dict[KeyPath, ErrorDetails] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_path_in(data, detail), detail)
    # Where something inside a section is wrong, a problem of the section as a whole would not help.
    outer = {path[:n] for path in found for n in range(1, len(path))}
    shown = [(path, detail) for path, detail in found.items() if path not in outer][: MAX_PROBLEMS + 1]
    return [Problem(path, _problem_text(path, detail, data)) for path, detail in shown]


def describe_key(path: KeyPath, data: Mapping[str, Value]) -> str:
    """Return the values that the key at ``path`` may hold, as ``an integer >= 1 and <= 1,000``."""
    return _describe(schemas_at(path, data))


def refusal(path: KeyPath, value: Value, data: Mapping[str, Value]) -> str:
    """Return why ``value`` cannot stand at ``path``.

    Args:
        path: key path of the value.
        value: value that the key does not allow.
        data: content of the user's file, which chooses the forms of sections.
    """
    schemas = schemas_at(path, data)
    words = [word for schema in schemas for word in literals_of(schema)]
    if value is None:
        optional = "" if path[-1] in _required(path, data) else ", or leave the key out"
        return f"is empty; it must be {_describe(schemas)}{optional}"
    if isinstance(value, str) and words and all(literals_of(schema) for schema in schemas):
        return f"'{printable(value)}' is unknown; {suggest(value, words)}"
    types = {schema.get("type") for schema in schemas}
    hint = number_hint(value) if types & {"integer", "number"} else ""
    if path == ("budget",) and _is_number(value):
        hint = f"; {show(value)} epochs for each point are {_fixed(value)}"
    if "string" in types and not words and isinstance(value, int | float):
        hint = f"; write '{show(value)}' in quotes for the text"
    return f"{show(value)} is not allowed: it must be {_describe(schemas)}{hint}"


def refused_axis_value(error: ValidationError, key: str, value: Value, data: Mapping[str, Value]) -> str:
    """Return why a value of an axis gives no valid section, in the words of the section if it has any.

    Args:
        error: error of validating the section.
        key: name of the axis, a key of a section.
        value: value of the axis.
        data: content of the user's file, which chooses the forms of sections.
    """
    messages = [str(detail["ctx"]["error"]) for detail in error.errors() if detail["type"] == "value_error"]
    return messages[0] if messages else refusal(section_path(key), value, data)


def unknown_axis(name: str, known: Sequence[str], data: Mapping[str, Value]) -> str:
    """Return why ``name`` cannot be an axis, with the axes that may have been meant.

    Args:
        name: name of an axis that the grid cannot have.
        known: names of all axes that it can have.
        data: content of the user's file.
    """
    if name in COORDINATES:
        what, axis = COORDINATES[name]
        return f"{what} is the axis '{axis}'; write that"
    section, _, key = name.partition(".")
    keys = [k.removeprefix(f"{section}.") for k in known if k.startswith(f"{section}.")]
    if keys and not key:
        return f"{section} is a section; these keys of it can be axes: {', '.join(f'{section}.{k}' for k in keys)}"
    schemas, value = resolve(section_path(section), data)
    if keys:
        label = choice_label(schemas, value)
        return f"{section}{f' {{{label}}}' if label else ''} has no such axis; {suggest(key, keys)}"
    if schemas:
        return f"{section} has no keys in this grid, so none can be an axis"
    short = sorted({k.partition(".")[0] + (".…" if "." in k else "") for k in known})
    same_end = [k for k in known if k.endswith(f".{name}")]
    return f"no such axis; {suggest((same_end or [name])[0], known, short)}"


def _problem_text(path: KeyPath, detail: ErrorDetails, data: Mapping[str, Value]) -> str:
    """Return an error of pydantic in the user's words."""
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
    """Return a message about a key that its section does not have."""
    schemas, section = resolve(path[:-1], data)
    keys = section_keys(chosen_forms(schemas, section))
    if path[-1] in section_keys(schemas):  # of another form of the section
        return f"unknown key beside '{choice_label(schemas, section)}'; known: {', '.join(sorted(keys))}"
    if (axis := _axis_meant(str(path[-1]), keys)) and (len(path) == 1 or path[0] == "optimizer"):
        value = _value_at(data, path)
        values = value if isinstance(value, list | dict) else [value]
        return f"unknown key; this is the axis '{axis}': write axes.{axis}: {show(values)}"
    if path in {("epochs",), ("budget", "epochs")} and _is_number(value := _value_at(data, path)):
        return f"unknown key; {show(value)} epochs for each point are budget: {_fixed(value)}"
    hint = suggest(str(path[-1]), keys)
    if "did you mean" not in hint and (place := next(_places_of(path[-1], data), "")):
        hint = f"did you mean '{place}'? ({hint})"
    return f"unknown key; {hint}"


def _axis_meant(key: str, keys: Sequence[str]) -> str:
    """Return the axis that a key means; empty if it means none, or if one of the section's ``keys`` means the same."""
    meant = key if key in NAMED_AXES else synonym_of(key)
    return meant if meant in NAMED_AXES and meant not in keys else ""


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fixed(epochs: Value) -> str:
    """Return the section ``budget`` that gives each point as many epochs."""
    return f"{{rule: fixed, constant: {show(epochs)}}}"


def _places_of(key: str | int, data: Mapping[str, Value], above: KeyPath = ()) -> Iterator[str]:
    """Yield the full paths of the keys of that name in all sections of the grid."""
    for name in section_keys(schemas_at(above, data)):
        path = (*above, name)
        if name == key:
            yield dotted(path)
        yield from _places_of(key, data, path)


def _path_in(data: Mapping[str, Value], detail: ErrorDetails) -> KeyPath:
    """Return the key path as the user wrote it; pydantic puts the names of union branches into its own."""
    path: list[str | int] = []
    value: Any = data
    loc = detail["loc"]
    for i, part in enumerate(loc):
        inside = part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int)
        if inside and (i + 1 == len(loc) or resolve((*path, part), data)[0]):  # it names no key below an unknown one
            path.append(part)
            value = value[part]  # pydantic names no item that is not there
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
    """Return the required keys of the section that holds the key at ``path``."""
    return [key for schema in schemas_at(path[:-1], data) for key in schema.get("required", [])]


def _describe(schemas: Sequence[Schema]) -> str:
    """Return the values that several forms of a key allow, joined by "or"."""
    if len(names := form_names(schemas)) > 1:
        return f"a section {{name: {' | '.join(names)}, …}}"
    phrases = dict.fromkeys(phrase for schema in schemas for phrase in _phrases(schema))
    if "a finite number" in phrases:
        phrases.pop("an integer", None)
    ordered = sorted(phrases, key=lambda phrase: not phrase.startswith("'"))  # words first: they are short
    return ", ".join(ordered[:-1]) + " or " + ordered[-1] if len(ordered) > 1 else "".join(ordered)


def _phrases(schema: Schema) -> list[str]:
    """Return a phrase for each word of a key, or one phrase for its type."""
    if words := literals_of(schema):
        return [f"'{word}'" for word in words]
    keys = sorted(section_keys([schema]), key=lambda key: key not in schema.get("required", []))
    return [f"a section {{{', '.join(keys)}}}" if keys else _DESCRIBE_TYPE[schema["type"]](schema)]


def _describe_text(schema: Schema) -> str:
    """Return the meaning of a text; the description of a pattern says what it allows."""
    description = str(schema.get("description", "")).replace("``", "'").removesuffix(".")
    if "pattern" in schema:
        return description
    return f"text ({description[0].lower()}{description[1:]})" if description else "text"


def _length(schema: Schema) -> str:
    """Return the allowed length of a list, as `` of 1 to 100``."""
    minimum, maximum = schema.get("minItems"), schema.get("maxItems")
    between = f" of {minimum:,} to {maximum:,}" if minimum and maximum else ""
    return between or (f" of at most {maximum:,}" if maximum else "")


def _bounds(schema: Schema) -> str:
    """Return the bounds of a number, as `` >= 0 and < 1``."""
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
