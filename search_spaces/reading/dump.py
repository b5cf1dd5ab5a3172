"""Writing a grid as YAML text."""

import yaml

from search_spaces.sections.grid import Grid
from search_spaces.yaml_text import parse_scalar


def to_yaml(grid: Grid) -> str:
    """Return the grid as resolved: with every key, and every value of every axis."""
    return yaml.dump(
        grid.model_dump(mode="json"),
        Dumper=_QuotingDumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=110,
    )


class _QuotingDumper(yaml.SafeDumper):
    """A dumper that quotes words which ``read_yaml`` reads as numbers, as ``1e-3``; PyYAML's YAML 1.1 rules differ."""


_QuotingDumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, '"' if parse_scalar(text) != text else None
    ),
)
