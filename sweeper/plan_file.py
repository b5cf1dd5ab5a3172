"""``plan.json``: what a sweep holds and what its latest run trains, as workers and other commands read it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from results.store import SweepDir, write_text
from search_spaces.errors import InputError
from search_spaces.grid import Grid
from search_spaces.load import load_grid
from search_spaces.plan import Cost, Pack, Plan
from search_spaces.points import Point, point_from_json, point_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """The content of ``plan.json``.

    Attributes:
        created: when the sweep was first run, ISO 8601.
        points: every point the sweep has ever planned, by id.
        packs: those of the latest run, in launch order.
        device: a torch device.
    """

    created: str
    points: dict[str, Point]
    packs: tuple[Pack, ...]
    workers: int
    device: str


def write_plan(directory: SweepDir, points: Sequence[Point], plan: Plan, device: str) -> PlanFile:
    """Write the plan of a run; points and the creation time of earlier runs are kept."""
    try:
        earlier = read_plan(directory)
    except InputError:  # none yet, or a damaged one: the ledger says what is done
        earlier = None
    known = (earlier.points if earlier else {}) | {p.id: p for p in points}
    file = PlanFile(
        created=earlier.created if earlier else datetime.now(UTC).isoformat(timespec="seconds"),
        points={p.id: p for p in points} | known,
        packs=plan.packs,
        workers=plan.workers,
        device=device,
    )
    write_text(directory.plan, json.dumps(_to_json(file), indent=1))
    return file


def read_plan(directory: SweepDir) -> PlanFile:
    """Read the plan of the latest run.

    Raises:
        InputError: no sweep lies there, or its plan cannot be read.
    """
    if not directory.plan.is_file():
        raise InputError(f"{directory.root}: no sweep here (no plan.json). Give the folder that 'sweeper run' made.")
    try:
        return _from_json(json.loads(directory.plan.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{directory.plan}: damaged ({error}). Run the same 'sweeper run' again: it writes the plan anew and "
            "trains what is missing."
        ) from None


def read_grid(directory: SweepDir) -> Grid:
    """The grid of the latest run, as resolved."""
    return load_grid(directory.grid.read_text(encoding="utf-8"), str(directory.grid))


@lru_cache(maxsize=4)
def cached_plan(directory: SweepDir, _modified: int) -> tuple[Grid, PlanFile, dict[str, Pack]]:
    """Grid, plan and packs by id; a worker reads them once for all the packs that it trains."""
    plan = read_plan(directory)
    return read_grid(directory), plan, {pack.id: pack for pack in plan.packs}


def _to_json(file: PlanFile) -> dict[str, object]:
    packs = [{"id": p.id, "points": [q.id for q in p.points], "cost": _cost_to_json(p.cost)} for p in file.packs]
    return {
        "created": file.created,
        "workers": file.workers,
        "device": file.device,
        "packs": packs,
        "points": [point_to_json(p) for p in file.points.values()],
    }


def _cost_to_json(cost: Cost) -> dict[str, float]:
    return {name: getattr(cost, name) for name in cost.__dataclass_fields__}


def _from_json(data: dict[str, object]) -> PlanFile:
    points = {p.id: p for p in map(point_from_json, data["points"])}  # type: ignore[call-overload]
    packs = tuple(
        Pack(id=p["id"], points=tuple(points[i] for i in p["points"]), cost=Cost(**p["cost"]))
        for p in data["packs"]  # type: ignore[attr-defined]
    )
    return PlanFile(
        created=str(data["created"]),
        points=points,
        packs=packs,
        workers=int(data["workers"]),  # type: ignore[call-overload]
        device=str(data["device"]),
    )
