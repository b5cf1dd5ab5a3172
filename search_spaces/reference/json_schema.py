"""The JSON Schema of the grid file, for completion and checks in editors."""

from typing import Any

from search_spaces.axes import NAMED_AXES
from search_spaces.sections.grid import Grid

_RANGE_SCHEMA = {
    "type": "object",
    "description": "Values spaced evenly on a logarithmic scale, both ends included.",
    "properties": {
        "log": {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}, "minItems": 2, "maxItems": 2},
        "num": {"type": "integer", "minimum": 2},
    },
    "required": ["log", "num"],
    "additionalProperties": False,
}
_VALUES_SCHEMA = {
    "anyOf": [
        {
            "type": "array",
            "items": {"anyOf": [{"type": ["number", "string", "boolean"]}, _RANGE_SCHEMA]},
            "minItems": 1,
        },
        _RANGE_SCHEMA,
    ]
}


def grid_schema() -> dict[str, Any]:
    """Return the schema of a grid as people write it, with axes that are not yet expanded."""
    schema = Grid.model_json_schema()
    axes = {name: _VALUES_SCHEMA | {"description": rule.wording} for name, rule in NAMED_AXES.items()}
    schema["properties"]["axes"] = {
        "type": "object",
        "description": "Axis to its values; a dotted key, such as model.width or optimizer.nesterov, is an axis too.",
        "properties": axes,
        "required": ["eta", "lam"],
        "additionalProperties": _VALUES_SCHEMA,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "sweeper grid"} | schema
