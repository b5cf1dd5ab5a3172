"""Files of the gallery's records: one JSON beside one picture for each figure and scale."""

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from results.gallery.exhibits import ALL_EXHIBITS
from results.gallery.records import Record, Scale
from results.store.files import write_bytes, write_text
from search_spaces.errors import InputError, first_problem

FOLDER = "gallery"  # beside the two pages
_RECORD = TypeAdapter(Record)


def write_record(folder: Path, record: Record, picture: bytes) -> None:
    """Write a record and its picture into a folder, the picture first.

    Args:
        folder: The gallery's folder.
        record: The record.
        picture: Its picture as PNG.
    """
    write_bytes(folder / f"{record.name}.png", picture)
    write_text(folder / f"{record.name}.json", json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n")


def read_records(folder: Path) -> dict[tuple[str, Scale], Record]:
    """Read every record of a folder; return them by figure and scale, none if there is no folder.

    Raises:
        InputError: A record is damaged, or its picture is missing.
    """
    records = [_read(path) for path in sorted(folder.glob("*.json"))]
    return {(record.figure, record.scale): record for record in records}


def _read(path: Path) -> Record:
    """Read one record.

    Raises:
        InputError: The record is damaged, or its picture is missing.
    """
    remedy = "Remove it and draw the figure again: sweeper gallery SWEEP_DIR --out " + str(path.parent.parent)
    try:
        record = _parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: this record of the gallery is damaged ({first_problem(error)}). {remedy}") from None
    if record.name != path.stem:
        raise InputError(f"{path}: this record of the gallery is that of {record.name}. {remedy}")
    if not path.with_suffix(".png").is_file():
        raise InputError(f"{path}: the picture of this record, {path.stem}.png, is not there. {remedy}")
    return record


def _parse(text: str) -> Record:
    """Parse a record from JSON.

    Raises:
        ValueError: The JSON is no record, or its figure is unknown.
    """
    record = _RECORD.validate_json(text)
    if record.figure not in ALL_EXHIBITS:
        raise ValueError(f"no figure {record.figure}")
    return record
