"""What commands print."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from search_spaces.cost import Profile
from search_spaces.errors import InputError
from search_spaces.plan import Pack, Plan
from search_spaces.points import count_points, make_points
from search_spaces.recipe import Variant
from search_spaces.sections.grid import Grid
from search_spaces.sections.optimizer import Adam
from search_spaces.sections.section import Section
from search_spaces.sections.trainable import KernelTrainable, OwnLoop, judged_by
from sweeper.backends.capacity import Capacity, capacity_here
from sweeper.console import duration, number_range

if TYPE_CHECKING:
    from sweeper.backends.pace import Pace
    from sweeper.backends.ray.backend import RayBackend

# Sustained speed, FLOP/s of a worker, where none could be measured: an EPYC core reaches 4 to 8e10 on matrices of 64 to
# 1024, a current GPU 2e13 and more in float32.
ASSUMED_SPEED = {"cpu": 5e10, "gpu": 2e13}
_PACKS_SHOWN = 12
COUPLED = "Adam divides λθ by the size of each weight's gradients: κ and λ_pred mean little here; adamw is decoupled"


def show_plan(grid: Grid, console: Console, cluster: "RayBackend | None" = None) -> None:
    """Points, packs and cost of a grid on this machine, or on a cluster, where a pack is tried out; nothing runs."""
    from sweeper.backends.pace import measure_pace, seconds_of
    from sweeper.driver.planning import plan_for
    from sweeper.worker.memory_limits import sized
    from trainables.data.torchvision_sets import DataNotFoundError
    from trainables.profile import profiles_of

    points, lacking = make_points(grid), ""
    try:
        profiles = profiles_of(grid, points)
    except DataNotFoundError as error:
        profiles, lacking = profiles_of(grid, points, only_plan=True), str(error)
    capacity = cluster.request_capacity(grid.resources)() if cluster else capacity_here(grid.resources)
    plan = plan_for(grid, points, sized(profiles, capacity.pack_bytes), capacity.workers)
    costliest = max(plan.packs, key=lambda pack: pack.cost.flops)
    if cluster:
        pace, untried = _pace_on(cluster, grid, costliest)
    else:
        pace, untried = None if lacking else measure_pace(grid, costliest), ""
    if pace:
        where = "on the cluster" if cluster else "here"
        step = f"{1000 * (pace.step or pace.measurement):.3g} ms a step of {_size(costliest)}, seen {where}"
        seconds = seconds_of(plan, costliest, pace) / grid.resources.processes_per_pack
        took = f"about {duration(seconds)} of training ({step}) and some 20 s around it"
    else:
        took = _assumed_time(grid, plan)
    console.print(_plan_summary(grid, plan, profiles, took, _memory(grid, plan, profiles, capacity)))
    console.print(_pack_table(plan))
    for heading, why in {"planned with the sizes as published": lacking, "not tried out": untried}.items():
        if why:
            console.print(f"\n[yellow]{heading}:[/] {escape(why)}", soft_wrap=True)


def _pace_on(cluster: "RayBackend", grid: Grid, pack: Pack) -> "tuple[Pace | None, str]":
    """What a pack takes there, or why it could not be tried out: a plan is worth having without."""
    try:
        return cluster.pace(grid, pack), ""
    except InputError as error:
        return None, str(error)


def _size(pack: Pack) -> str:
    return f"a pack of {len(pack.points)}" if len(pack.points) > 1 else "a point"


def _assumed_time(grid: Grid, plan: Plan) -> str:
    if not plan.cost.flops:
        return "not known of a loop of one's own"
    speed = ASSUMED_SPEED["gpu" if grid.resources.gpus_per_pack else "cpu"]
    return f"about {duration(plan.makespan / speed)} if each worker reaches {speed:.0e} FLOP/s"


def _plan_summary(
    grid: Grid, plan: Plan, by_variant: Mapping[Variant, Profile], took: str, memory: Mapping[str, str]
) -> Table:
    cost, profiles = plan.cost, list(by_variant.values())
    budgets = [p.budget for p in plan.points]
    sizes = sorted({p.parameters for p in profiles})
    workers = f"{plan.workers} worker" + "s" * (plan.workers > 1)
    table = Table.grid(padding=(0, 2))
    measuring = cost.measuring_flops / cost.flops if cost.flops else 0.0
    size = f": {number_range(sizes)} parameters, {profiles[0].train:,} training and {profiles[0].test:,} "
    size += f"{judged_by(grid.trainable)} samples"
    rows = {
        "points": _points(grid, len(plan.points)),
        "trains": grid.trainable.title + (size if profiles[0].parameters else ""),
        **_optimizer(grid),
        "L2": _l2(grid, [p.decay for p in profiles]),
        "budgets": f"{number_range(budgets)} epochs",
        **_stop(grid, plan, by_variant),
        "steps": f"{cost.steps:,}{_shares(profiles)}",
        "measurements": f"{cost.measurements:,}, {measuring:.1%} of the work",
        "work": f"{cost.flops:.2g} FLOP",
        "packs": f"{len(plan.packs):,} of up to {max(len(p.points) for p in plan.packs)} points",
        **memory,
        "makespan": f"{plan.makespan / plan.bound:.2f} × the lower bound on {workers}",
        "time": took,
    }
    if isinstance(grid.optimizer, Adam):
        rows["warning"] = COUPLED
    for name, text in rows.items():
        table.add_row(f"[bold]{name}[/]", escape(text))
    return table


def _memory(grid: Grid, plan: Plan, by_variant: Mapping[Variant, Profile], capacity: Capacity) -> dict[str, str]:
    """What the largest pack is expected to take of a GPU, where packs ask for one."""
    if not grid.resources.gpus_per_pack:
        return {}
    if capacity.pack_bytes is None:
        most = max(profile.point_bytes for profile in by_variant.values()) / 1e9
        known = f"about {most:.2g} GB a point; " if most else ""
        return {"memory": f"{known}no GPU was seen: packs as on a CPU, a run sizes them for the GPUs that it finds"}
    most = max(sum(by_variant[p.variant].point_bytes for p in pack.points) for pack in plan.packs)
    return {"memory": f"{most / 1e9:.2g} GB the largest pack, of {capacity.pack_bytes / 1e9:.3g} GB of a GPU"}


def _stop(grid: Grid, plan: Plan, by_variant: Mapping[Variant, Profile]) -> dict[str, str]:
    """What ``stop: peaked`` is expected to save, where the grid says it."""
    if grid.stop == "budget":
        return {}
    whole = sum(by_variant[p.variant].last_step(p.budget) for p in plan.points)
    return {"stop": f"peaked: {1 - plan.cost.steps / whole:.0%} of the steps of the budgets saved if κ is 0.5"}


def _shares(profiles: list[Profile]) -> str:
    """Micro-batches of a step and the processes that share them, where there are several."""
    counts, processes = sorted({p.micro_batches for p in profiles}), profiles[0].processes
    if counts == [1]:
        return ""
    sizes = sorted({p.batch // p.micro_batches for p in profiles})
    text = f", each of {number_range(counts)} micro-batches of {number_range(sizes)} samples"
    return text + (f", shared by {processes} processes" if processes > 1 else ", one after the other")


def _optimizer(grid: Grid) -> dict[str, str]:
    """How weights move, where the grid says it: not for loops of one's own and infinite width."""
    if isinstance(grid.trainable, OwnLoop | KernelTrainable):
        return {}
    return {"optimizer": "; ".join(_words(section) for section in (grid.optimizer, grid.schedule))}


def _words(section: Section) -> str:
    """``sgd, mu 0.9``: the name of a section and the keys that are not at their defaults."""
    values = section.model_dump(exclude_defaults=True)
    name = values.pop("name")
    return ", ".join([name, *(f"{key} {value}".replace("True", "true") for key, value in values.items())])


def _l2(grid: Grid, rules: list[str]) -> str:
    """What λ does, in the words of the first variant."""
    more = len(set(rules)) - 1
    text = rules[0] + (f"; {more} more rules along the axes" if more else "")
    auto = grid.l2.auto
    return text + (f"; AutoL2, looking at the {auto.signal} every {auto.every} steps" if auto else "")


def _points(grid: Grid, count: int) -> str:
    """``54 = 3 eta × 9 lam × 2 seed``."""
    sizes = " × ".join(f"{len(values)} {name}" for name, values in grid.axes.items())
    most = count_points(grid)
    return f"{count:,} = {sizes}" if count == most else f"{count:,} of {most:,} = {sizes}; the others are left out"


def _pack_table(plan: Plan) -> Table:
    table = Table(box=None, header_style="bold", title=None, padding=(0, 2, 0, 0))
    for name in ("pack", "points", "eta", "lam", "epochs", "steps", "share"):
        table.add_column(name, justify="left" if name in {"pack", "eta", "lam", "epochs"} else "right")
    for pack in plan.packs[:_PACKS_SHOWN]:
        axes = (number_range([getattr(p, a) for p in pack.points]) for a in ("eta", "lam", "budget"))
        share = pack.cost.flops / plan.cost.flops if plan.cost.flops else pack.cost.steps / plan.cost.steps
        table.add_row(pack.id, f"{len(pack.points)}", *axes, f"{pack.cost.steps:,}", f"{share:.1%}")
    if len(plan.packs) > _PACKS_SHOWN:
        table.caption = f"… and {len(plan.packs) - _PACKS_SHOWN:,} more packs"
    return table
