"""The live display of a run: a bar on a terminal or in a notebook, plain lines elsewhere."""

import math
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.jupyter import JupyterMixin
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from results.store.commits import PointEnd
from search_spaces.outcome import Outcome
from search_spaces.plan import Plan
from sweeper.console import counted, duration
from sweeper.worker.messages import Progress

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

PLAIN_SECONDS = 10.0  # between lines when the output is not a terminal
TELLING_SECONDS = 10.0  # of a run from which its makespan says more than what workers take to start


@dataclass(slots=True)
class Tally:
    """What a run has done so far; fed with summaries, read by the display.

    Attributes:
        total: points to train.
        steps_total: steps of points that their packs need, those of earlier runs among them.
        done_before: points that the sweep held already.
        steps: pack to the steps that it has behind it.
        trained: steps taken in this run, those that were lost and taken again among them.
        spent: pack to the seconds that workers had it in this run: in attempts before the present one, and in this.
        most_active: packs that were in training at a time, at most: workers may have joined since the plan was made.
        waiting: pack to what it waits for.
    """

    total: int
    steps_total: int
    done_before: int = 0
    steps: dict[str | None, int] = field(default_factory=dict)
    trained: int = 0
    ends: dict[str, PointEnd] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    most_active: int = 0
    spent: dict[str | None, tuple[float, float]] = field(default_factory=dict)
    first_report: float | None = None
    last_report: float = 0.0
    waiting: dict[str | None, str] = field(default_factory=dict)
    # Sums, kept since the display asks for them four times a second and there may be 100,000 ends.
    _steps: int = 0
    _outcomes: Counter[Outcome] = field(default_factory=Counter)
    _best: float | None = None
    _log_kappa: float = 0.0
    _kappas: int = 0

    def add(self, progress: Progress, now: float) -> None:
        """Take in a summary that arrived at time ``now``, in seconds."""
        if self.first_report is None:
            self.first_report = now
        self.last_report = now
        if progress.steps is not None:
            # The first summary of an attempt says where it goes on: for one tried again, less far than it had come.
            before = self.steps.get(progress.pack, progress.steps)
            self.trained += max(0, progress.steps - before)
            self._steps += progress.steps - self.steps.get(progress.pack, 0)
            self.steps[progress.pack] = progress.steps
        if progress.seconds is not None:
            earlier, latest = self.spent.get(progress.pack, (0.0, 0.0))
            earlier += latest if progress.seconds < latest else 0.0
            self.spent[progress.pack] = earlier, progress.seconds
        for end in progress.ends:
            self._add_end(end)
        if progress.pack is not None:
            (self.active.discard if progress.left else self.active.add)(progress.pack)
            self.most_active = max(self.most_active, len(self.active))
        self.waiting.pop(progress.pack, None)
        if progress.waiting:
            self.waiting[progress.pack] = progress.waiting

    def _add_end(self, end: PointEnd) -> None:
        before = self.ends.get(end.point)
        for sign, known in ((-1, before), (1, end)):  # a pack that is tried again may repeat some
            if known is not None:
                self._outcomes[known.outcome] += sign
                if known.kappa:
                    self._log_kappa += sign * math.log(known.kappa)
                    self._kappas += sign
        if end.best_test_acc is not None:
            self._best = end.best_test_acc if self._best is None else max(self._best, end.best_test_acc)
        self.ends[end.point] = end

    def rate(self, now: float) -> float:
        """Steps of points a second since training began."""
        elapsed = now - self.first_report if self.first_report is not None else 0.0
        return self.trained / elapsed if elapsed >= 1 else 0.0  # summaries come a second apart

    def remaining_seconds(self, now: float) -> float | None:
        """Expected time until the end, from the steps left; None before there is a rate."""
        rate = self.rate(now)
        return (1 - self.share()) * self.steps_total / rate if rate > 0 else None

    def share(self) -> float:
        """Of all steps, those that are done: 0 to 1."""
        return min(1.0, self._steps / max(1, self.steps_total))

    def outcomes(self) -> Counter[Outcome]:
        """Ended points by outcome."""
        return +self._outcomes

    def best(self) -> float | None:
        """Best test accuracy of any ended point."""
        return self._best

    def kappa(self) -> tuple[float, int] | None:
        """Geometric mean of κ over the ended points that have one, and their number: the running estimate of c."""
        return (math.exp(self._log_kappa / self._kappas), self._kappas) if self._kappas else None

    def makespan(self) -> float:
        """Seconds from the first summary to the last."""
        return 0.0 if self.first_report is None else self.last_report - self.first_report

    def pack_seconds(self) -> tuple[float, float]:
        """Seconds that workers had packs in this run: the longest, and all together."""
        seconds = [sum(parts) for parts in self.spent.values()]
        return max(seconds, default=0.0), sum(seconds)


class Display:
    """Shows a ``Tally`` while a run goes on; a context manager whose ``notify`` takes the workers' summaries."""

    def __init__(
        self,
        console: Console,
        title: str,
        plan: Plan,
        total: int,
        done_before: int,
        *,
        under_way: int = 0,
        law: bool = True,
    ) -> None:
        """Show nothing yet.

        Args:
            console: to print on.
            title: name of the sweep.
            plan: of this run.
            total: points to train.
            done_before: points that have ended in earlier runs.
            under_way: packs that go on where an earlier run left them.
            law: whether κ means something: η and λ are constant.
        """
        self._console, self._title, self._plan = console, title, plan
        self._under_way, self._law = under_way, law
        self._lock = threading.Lock()
        self.tally = Tally(total=total, steps_total=plan.cost.steps, done_before=done_before)
        self._cell = _Cell() if console.is_jupyter else None
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4, transient=True)
        self._last_line = time.monotonic()

    def __enter__(self) -> "Display":
        """Begin to show."""
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
        """Stop; the last state stays as a line."""
        if self._console.is_terminal:
            self._live.stop()
        if self._cell:
            self._cell.show(self._line())
        else:
            self._console.print(self._line(), soft_wrap=True)
        if error is None and (makespan := self._makespan()):
            self._console.print(makespan, soft_wrap=True, highlight=False)

    def notify(self, progress: Progress) -> None:
        """Take in a summary; may be called from any thread."""
        now = time.monotonic()
        with self._lock:
            self.tally.add(progress, now)
        if self._cell:
            self._cell.show(self._render())
        elif not self._console.is_terminal and now - self._last_line > PLAIN_SECONDS:
            self._last_line = now
            self._console.print(self._line(), soft_wrap=True)

    def _render(self) -> Table:
        with self._lock:
            share = self.tally.share()
            bar = Table.grid(padding=(0, 1))
            bar.add_row(
                ProgressBar(total=1.0, completed=share, width=40),
                Text(f"{share:4.0%}"),
                Text(self._eta(), style="cyan"),
            )
            both = Table.grid()
            both.add_row(bar)
            both.add_row(self._line())
            return both

    def _eta(self) -> str:
        left = self.tally.remaining_seconds(time.monotonic())
        return "starting" if left is None else f"ETA {duration(left)}"

    def _line(self) -> Text:
        tally, outcomes = self.tally, self.tally.outcomes()
        parts = [f"{len(tally.ends):,}/{tally.total:,} points"]
        if tally.active:
            parts.append(f"{counted(len(tally.active), 'pack')} running")
        parts += [f"{outcomes[o]} {o}" for o in (Outcome.DIVERGED, Outcome.STOPPED, Outcome.FAILED) if outcomes[o]]
        if (best := tally.best()) is not None:
            parts.append(f"best {best:.4f}")
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
        """What the order of the packs was worth in this run: no schedule of them can be faster than the bound."""
        seconds, workers = self.tally.makespan(), max(self._plan.workers, self.tally.most_active)
        longest, all_packs = self.tally.pack_seconds()
        bound = max(longest, all_packs / max(1, workers))
        if seconds < TELLING_SECONDS or not bound:
            return ""
        return (
            f"trained in {duration(seconds)} on {counted(workers, 'worker')}, {seconds / bound:.2f} × the bound "
            f"(longest pack {duration(longest)}, all packs {duration(all_packs)})"
        )


class _Cell:
    """One output of a notebook's cell, shown anew in place; needs no widgets, as rich's ``Live`` would."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

    def show(self, renderable: JupyterMixin) -> None:
        """In place of what was shown before."""
        from IPython.display import display  # noqa: PLC0415 - only a notebook has it

        if self._handle is None:
            self._handle = display(renderable, display_id=True)
        else:
            self._handle.update(renderable)
