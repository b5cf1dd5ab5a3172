"""The answer of ``sweeper plan``."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from search_spaces.cost import Profile
from search_spaces.errors import counted
from search_spaces.plan import Pack, Plan
from search_spaces.points import count_points
from search_spaces.recipe import Variant
from search_spaces.sections.grid import Grid
from search_spaces.sections.optimizer import Adam
from search_spaces.sections.section import Section
from search_spaces.sections.trainable import KernelTrainable, OwnLoop, judged_by
from sweeper.backends.capacity import Capacity
from sweeper.console import duration, number_range
from sweeper.driver.estimate import Estimate

# Sustained speed, FLOP/s of a worker, where none could be measured: an EPYC core reaches 4 to 8e10 on matrices of 64 to
# 1024, a current GPU 2e13 and more in float32.
ASSUMED_SPEED = {"cpu": 5e10, "gpu": 2e13}
_PACKS_SHOWN = 12
COUPLED = "Adam divides λθ by the size of each weight's gradients: κ and λ_pred mean little here; adamw is decoupled"


@dataclass(frozen=True, slots=True)
class PlanView:
    """Points, packs and cost of a grid.

    Attributes:
        estimate: the plan and its cost.
        on_cluster: whether it is for a cluster.
    """

    estimate: Estimate
    on_cluster: bool = False

    def to_json(self) -> Mapping[str, object]:
        """The summary as a dict for ``json.dumps``."""
        return self._summary()

    def print(self, console: Console) -> None:
        """Print the summary, the first packs, and what could not be measured."""
        estimate = self.estimate
        table = Table.grid(padding=(0, 2))
        for name, text in self._summary().items():
            table.add_row(f"[bold]{name}[/]", escape(text))
        console.print(table)
        console.print(_pack_table(estimate.plan))
        notes = {"planned with the sizes as published": estimate.missing_data, "not tried out": estimate.untried}
        for heading, why in notes.items():
            if why:
                console.print(f"\n[yellow]{heading}:[/] {escape(why)}", soft_wrap=True)

    def _summary(self) -> dict[str, str]:
        """Label and text of each line."""
        grid, plan, by_variant = self.estimate.grid, self.estimate.plan, self.estimate.profiles
        cost, profiles = plan.cost, list(by_variant.values())
        measuring = cost.measuring_flops / cost.flops if cost.flops else 0.0
        lines = {
            "points": _points(grid, len(plan.points)),
            "trains": grid.trainable.title + _sizes(grid, profiles),
            **_optimizer(grid),
            "L2": _l2(grid, [p.decay for p in profiles]),
            **_notes(profiles),
            "budgets": f"{number_range([p.budget for p in plan.points])} {_epochs(plan)}",
            **_stop(grid, plan, by_variant),
            "steps": f"{cost.steps:,}{_shares(profiles)}",
            "measurements": f"{cost.measurements:,}, {measuring:.1%} of the work",
            "work": f"{cost.flops:.2g} FLOP",
            "packs": _packs(plan),
            **_memory(grid, plan, by_variant, self.estimate.capacity),
            "makespan": f"{plan.makespan / plan.bound:.2f} × the lower bound on {counted(plan.workers, 'worker')}",
            "time": self._time(),
            **self._progress(),
        }
        return lines | ({"warning": COUPLED} if isinstance(grid.optimizer, Adam) else {})

    def _progress(self) -> dict[str, str]:
        """What is done and what is left of a sweep that exists: ``8 done, 4 to train, 0:25``."""
        progress = self.estimate.progress
        if progress is None:
            return {}
        if progress.conflict:
            return {"sweep": progress.conflict}
        left = f"{progress.left:,} to train" if progress.left else "nothing to train"
        seconds = f", {duration(progress.seconds)}" if progress.left and progress.seconds is not None else ""
        return {"sweep": f"{progress.done:,} done, {left}{seconds}"}

    def _time(self) -> str:
        estimate = self.estimate
        pace = estimate.pace
        if pace is None or estimate.seconds is None:
            return _assumed_time(estimate.grid, estimate.plan)
        where = "on the cluster" if self.on_cluster else "here"
        times = f"{_time_of(pace.step)} a step, {_time_of(pace.measurement)} a measurement"
        seen = f"{times} of {_size(estimate.costliest)}, seen {where}"
        return f"about {duration(estimate.seconds)} of training ({seen}) and some 20 s around it"


def _time_of(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _packs(plan: Plan) -> str:
    """``7 of up to 8 points``."""
    most = max(len(pack.points) for pack in plan.packs)
    vary = min(len(pack.points) for pack in plan.packs) < most
    return f"{len(plan.packs):,} of {'up to ' if vary else ''}{counted(most, 'point')}"


def _epochs(plan: Plan) -> str:
    return "epoch" if {point.budget for point in plan.points} == {1.0} else "epochs"


def _size(pack: Pack) -> str:
    return f"a pack of {len(pack.points)}" if len(pack.points) > 1 else "a point"


def _assumed_time(grid: Grid, plan: Plan) -> str:
    if not plan.cost.flops:
        return "not known for a training loop of your own"
    speed = ASSUMED_SPEED["gpu" if grid.resources.gpus_per_pack else "cpu"]
    return f"about {duration(plan.makespan / speed)} if each worker reaches {speed:.0e} FLOP/s"


def _sizes(grid: Grid, profiles: list[Profile]) -> str:
    """Parameters and samples; empty for what has no parameters."""
    if not profiles[0].parameters:
        return ""
    parameters = number_range(sorted({p.parameters for p in profiles}))
    samples = f"{profiles[0].train:,} training and {counted(profiles[0].test, judged_by(grid.trainable) + ' sample')}"
    return f": {parameters} parameters, {samples}"


def _notes(profiles: list[Profile]) -> dict[str, str]:
    """What a person should know of the data and the model before they train, each sentence once."""
    notes = dict.fromkeys(note for profile in profiles for note in profile.notes)
    return {"note": " ".join(notes)} if notes else {}


def _memory(grid: Grid, plan: Plan, by_variant: Mapping[Variant, Profile], capacity: Capacity) -> dict[str, str]:
    """The memory that the largest pack is expected to take of a GPU, where packs ask for one."""
    if not grid.resources.gpus_per_pack:
        return {}
    if capacity.pack_bytes is None:
        most = max(profile.point_bytes for profile in by_variant.values()) / 1e9
        known = f"about {most:.2g} GB a point; " if most else ""
        return {"memory": f"{known}no GPU was seen: packs as on a CPU, a run sizes them for the GPUs that it finds"}
    most = max(sum(by_variant[p.variant].point_bytes for p in pack.points) for pack in plan.packs)
    return {"memory": f"{most / 1e9:.2g} GB the largest pack, of {capacity.pack_bytes / 1e9:.3g} GB of a GPU"}


def _stop(grid: Grid, plan: Plan, by_variant: Mapping[Variant, Profile]) -> dict[str, str]:
    """The steps that ``stop: peaked`` is expected to save, where the grid says it."""
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
    """Optimizer and schedule; nothing for a user's own loop and for infinite width, which have none here."""
    if isinstance(grid.trainable, OwnLoop | KernelTrainable):
        return {}
    return {"optimizer": "; ".join(_words(section) for section in (grid.optimizer, grid.schedule))}


def _words(section: Section) -> str:
    """``sgd, mu 0.9``: the name of a section and the keys that are not at their defaults."""
    values = section.model_dump(exclude_defaults=True)
    name = values.pop("name")
    return ", ".join([name, *(f"{key} {value}".replace("True", "true") for key, value in values.items())])


def _l2(grid: Grid, rules: list[str]) -> str:
    """The effect of λ, in the words of the first variant."""
    more = len(set(rules)) - 1
    text = rules[0] + (f"; {counted(more, 'more rule')} along the axes" if more else "")
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
        table.caption = f"… and {counted(len(plan.packs) - _PACKS_SHOWN, 'more pack')}"
    return table
