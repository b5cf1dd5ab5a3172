"""The live display of a run: a bar on a terminal or in a notebook, plain lines elsewhere."""

import math
import threading
import time
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.jupyter import JupyterMixin
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from results.analysis.regime import regime_of
from results.store.state import SweepState
from search_spaces.errors import counted
from search_spaces.outcome import TRAINED, Outcome
from search_spaces.plan import Plan
from sweeper.console import counted_of, duration
from sweeper.driver.spec import RunSpec
from sweeper.driver.tally import Tally, best_of
from sweeper.worker.messages import PackReport

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

PLAIN_SECONDS = 10.0  # between lines when the output is not a terminal
TELLING_SECONDS = 10.0  # of a run from which its makespan says more than what workers take to start


class Display:
    """A context manager that shows a ``Tally`` during a run; ``notify`` takes the reports of the workers."""

    def __init__(
        self,
        console: Console,
        title: str,
        plan: Plan,
        tally: Tally,
        *,
        under_way: int = 0,
        law: bool = True,
    ) -> None:
        """Prepare the display, and show nothing yet.

        Args:
            console: to print on.
            title: name of the sweep.
            plan: of this run.
            tally: of this run, before its first report.
            under_way: packs that go on where an earlier run left them.
            law: whether κ means something: η and λ are constant.
        """
        self._console, self._title, self._plan = console, title, plan
        self._under_way, self._law = under_way, law
        self._lock = threading.Lock()
        self.tally = tally
        self._cell = _Cell() if console.is_jupyter else None
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4, transient=True)
        self._last_line = time.monotonic()

    def __enter__(self) -> "Display":
        """Print a heading, and begin to show."""
        packs, workers = len(self._plan.packs), self._plan.workers
        before = f" ({self.tally.done_before:,} done before)" if self.tally.done_before else ""
        self._console.print(
            f"[bold]{self._title}[/]: {counted(self.tally.total, 'point')}{before} in {counted(packs, 'pack')} on "
            f"{counted(workers, 'worker')}, {counted(self.tally.steps_total, 'step')}"
            + (f"; {counted(self._under_way, 'pack')} under way before" if self._under_way else ""),
            soft_wrap=True,
            highlight=False,
        )
        if self._console.is_terminal:
            self._live.start()
        if self._cell:
            self._cell.show(self._render())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and leave the last state as a line."""
        if self._console.is_terminal:
            self._live.stop()
        if self._cell:
            self._cell.show(self._line())
        else:
            self._console.print(self._line(), soft_wrap=True)
        if error is None and (makespan := self._makespan()):
            self._console.print(makespan, soft_wrap=True, highlight=False)

    def notify(self, report: PackReport) -> None:
        """Take in a report. Any thread may call this."""
        now = time.monotonic()
        with self._lock:
            self.tally.add(report, now)
            due = now - self._last_line > PLAIN_SECONDS
            self._last_line = now if due else self._last_line
        if self._cell:
            self._cell.show(self._render())
        elif due and not self._console.is_terminal:
            self._console.print(self._line(), soft_wrap=True)

    def waiting(self, grace_seconds: float) -> str:
        """Return what a run that is to stop waits for, in words; ``grace_seconds`` is the longest time, or infinity."""
        with self._lock:
            workers = len(self.tally.active)
        if not workers:
            return "leaving, no worker has anything to commit"
        limit = f", up to {grace_seconds:g} s" if math.isfinite(grace_seconds) else ""
        return f"waiting for {counted(workers, 'worker')} to commit{limit}"

    def _render(self) -> Table:
        with self._lock:
            share, eta = self.tally.share(), self._eta()
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(total=1.0, completed=share, width=40), Text(f"{share:4.0%}"), Text(eta, style="cyan"))
        both = Table.grid()
        both.add_row(bar)
        both.add_row(self._line())
        return both

    def _eta(self) -> str:
        left = self.tally.remaining_seconds(time.monotonic())
        return "starting" if left is None else f"ETA {duration(left)}"

    def _line(self) -> Text:
        with self._lock:  # a worker's report may arrive meanwhile
            return self._line_of_tally()

    def _line_of_tally(self) -> Text:
        tally, outcomes = self.tally, self.tally.outcomes()
        parts = [counted_of(len(tally.ends), tally.total, "point")]
        if tally.active:
            parts.append(f"{counted(len(tally.active), 'pack')} running")
        parts += [f"{outcomes[o]} {o}" for o in (Outcome.DIVERGED, Outcome.STOPPED, Outcome.FAILED) if outcomes[o]]
        if (best := tally.best()) is not None:
            name = "" if tally.metric.is_accuracy else f"{tally.metric.title} "
            parts.append(f"best point {name}{tally.metric.shown(best)}")
        if self._law and (kappa := tally.kappa()):
            parts.append(f"κ ≈ {kappa[0]:.2f} ({counted(kappa[1], 'point')})")
        if rate := tally.rate(time.monotonic()):
            parts.append(f"{rate:,.0f} steps/s")
        if why := tally.waiting.get(None):
            parts.append(why)
        for why, packs in Counter(why for pack, why in tally.waiting.items() if pack).items():
            parts.append(f"{counted(packs, 'pack')} waiting: {why}")
        return Text(" · ".join(parts), style="red" if outcomes[Outcome.FAILED] or tally.waiting else "")

    def _makespan(self) -> str:
        """The time of this run against its bound, which no order of the packs can beat."""
        seconds, workers = self.tally.makespan(), max(self._plan.workers, self.tally.most_active)
        longest, all_packs = self.tally.pack_seconds()
        bound = max(longest, all_packs / max(1, workers))
        if seconds < TELLING_SECONDS or not bound:
            return ""
        return (
            f"trained in {duration(seconds)} on {counted(workers, 'worker')}, {seconds / bound:.2f} × the bound "
            f"(longest pack {duration(longest)}, all packs {duration(all_packs)})"
        )


def display_of(spec: RunSpec, state: SweepState, plan: Plan, console: Console) -> Display:
    """Make the display of a run.

    Args:
        spec: the run.
        state: what the sweep held before training.
        plan: the packs of this run.
        console: to print on.
    """
    ended = [state.ends[point.id] for point in spec.points if point.id in state.ends]
    metric = spec.grid.metric
    tally = Tally(
        total=len(spec.points) - len(ended),
        steps_total=plan.cost.steps,
        done_before=len(ended),
        best_before=best_of((end.best(metric) for end in ended if end.outcome in TRAINED), metric),
        metric=metric,
    )
    return Display(
        console,
        spec.grid.name,
        plan,
        tally,
        under_way=len(state.footers_by_pack.keys() & {pack.id for pack in plan.packs}),
        law=regime_of(spec.grid).constant_share({}) == 1,
    )


class _Cell:
    """One output of a notebook cell that is renewed in place. Unlike rich's ``Live`` it needs no widgets."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

    def show(self, renderable: JupyterMixin) -> None:
        """Show ``renderable`` in place of what was shown before."""
        from IPython.display import display  # noqa: PLC0415 - only a notebook has it

        if self._handle is None:
            self._handle = display(renderable, display_id=True)
        else:
            self._handle.update(renderable)
