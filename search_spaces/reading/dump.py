"""A grid as YAML text."""

import yaml

from search_spaces.sections.grid import Grid
from search_spaces.yaml_text import parse_scalar


def to_yaml(grid: Grid) -> str:
    """The grid as resolved: every key, every value of every axis."""
    return yaml.dump(
        grid.model_dump(mode="json"),
        Dumper=_QuotingDumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=110,
    )


class _QuotingDumper(yaml.SafeDumper):
    """Quotes words that ``read_yaml`` would take for numbers: PyYAML's own rules, of YAML 1.1, differ (``1e-3``)."""


_QuotingDumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, '"' if parse_scalar(text) != text else None
    ),
)
