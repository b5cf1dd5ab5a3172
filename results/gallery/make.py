"""``sweeper gallery``: draw figures from sweeps, keep them as records, and write two pages of all records."""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd
from PIL import Image
from rich.console import Console

from results.claims.comparison import INCONCLUSIVE, compare
from results.claims.judge import CLAIMS_BY_NAME
from results.compare import read_side
from results.figures.drawing import Drawing, render
from results.figures.paper.catalog import FIGURES, draw_figure
from results.figures.paper.sources import NO_SWEEPS, read_tables
from results.gallery.exhibit import Exhibit, Expectation, Statement
from results.gallery.exhibits import ALL_EXHIBITS
from results.gallery.html import render_html
from results.gallery.markdown import render_markdown
from results.gallery.messages import print_status
from results.gallery.recognition import RecognizedSweep, recognize_sweeps
from results.gallery.record_files import FOLDER, read_records, write_record
from results.gallery.records import SCALES, Agreement, Finding, Record, Scale
from results.store.files import write_text
from results.store.paths import AnyPath
from search_spaces.errors import InputError

PICTURE_DPI = 144  # 1.5 pixels a point of a printed panel: sharp on a page, and half the bytes of 200
PALETTE_COLORS = 128  # lines and text need few colors; the picture takes a third of the bytes of all colors
_CONTEST_TITLES = {
    "best_accuracy": "Best test accuracy, difference",
    "time_epochs": "Epochs to the same accuracy, ratio",
}
_SAME: Mapping[str, Agreement] = {word: word for word in get_args(Agreement) if word}
_OPPOSITE: Mapping[str, Agreement] = {**_SAME, "pass": "fail", "fail": "pass"}


class GalleryPages(NamedTuple):
    """Paths of the two pages of the gallery.

    Attributes:
        markdown: The page for a code host.
        html: The page that stands alone.
    """

    markdown: Path
    html: Path


def make_gallery(roots: Sequence[AnyPath], out: Path, grids: Path, console: Console) -> GalleryPages:
    """Draw the figures of the given sweeps, keep the records of all other figures, and write both pages.

    Args:
        roots: Folders of sweeps, or folders that hold such folders. With none, the pages are made of the records.
        out: Folder of ``gallery.md``, ``gallery.html`` and ``gallery/``.
        grids: Folder of the project's grids, ``paper/*.yaml`` and ``small/*.yaml``.
        console: Prints which sweeps were recognized, which were left out and why, and what was drawn.

    Raises:
        InputError: A folder has no sweep, no sweep is one of the paper's, or a record is damaged.
    """
    folder = out / FOLDER
    records = read_records(folder)  # fails on a damaged record before anything is drawn
    sweeps = recognize_sweeps(roots, grids, console) if roots else []
    for scale in SCALES:
        for figure, exhibit in ALL_EXHIBITS.items():
            used = [s for stem in exhibit.grids for s in sweeps if (s.shipped.scale, s.shipped.stem) == (scale, stem)]
            is_theory = scale == "paper" and not exhibit.grids and exhibit.layout in FIGURES
            if used or is_theory:
                _update(folder, figure, scale, used, records.get((figure, scale)), console)
    records = read_records(folder)
    pages = GalleryPages(markdown=out / "gallery.md", html=out / "gallery.html")
    write_text(pages.markdown, render_markdown(records))
    write_text(pages.html, render_html(records, folder))
    return pages


def _update(
    folder: Path, figure: str, scale: Scale, sweeps: Sequence[RecognizedSweep], earlier: Record | None, console: Console
) -> None:
    """Draw one figure and write its record, or print why it stays as it is.

    Args:
        folder: Folder of the records.
        figure: Key of ``ALL_EXHIBITS``.
        scale: Scale of the sweeps.
        sweeps: Sweeps to draw it from; none for theory alone.
        earlier: Its record so far; None if there is none.
        console: Prints what was done.
    """
    exhibit = ALL_EXHIBITS[figure]
    name = exhibit.name_at(scale)
    absent = {used.name for used in earlier.sweeps} - {s.used.name for s in sweeps} if earlier else set()
    if absent:
        remedy = f"its record is also of {', '.join(sorted(absent))}; give that sweep too to draw it again"
        print_status(console, "kept", f"{name}: {remedy}")
        return
    try:
        drawing = _draw(exhibit, sweeps)
        record = _record(figure, scale, sweeps, drawing)
    except InputError as error:
        print_status(console, "not drawn", f"{name}: {error}")
        return
    write_record(folder, record, _small_png(render(drawing, PICTURE_DPI).png))
    print_status(console, "drawn", name)


def _draw(exhibit: Exhibit, sweeps: Sequence[RecognizedSweep]) -> Drawing:
    """Draw a figure, at paper scale at the paper's η.

    Raises:
        InputError: The sweeps lack what the figure needs.
    """
    eta = exhibit.eta if any(s.shipped.scale == "paper" for s in sweeps) else None
    tables = read_tables([(s.directory, s.grid) for s in sweeps], eta=eta) if sweeps else NO_SWEEPS
    return draw_figure(exhibit.layout, tables)


def _record(figure: str, scale: Scale, sweeps: Sequence[RecognizedSweep], drawing: Drawing) -> Record:
    """Return the record of a figure that was drawn today.

    Args:
        figure: Key of ``ALL_EXHIBITS``.
        scale: Scale of the sweeps.
        sweeps: Sweeps that it was drawn from.
        drawing: The drawing.
    """
    exhibit = ALL_EXHIBITS[figure]
    by_stem = {sweep.used.grid: sweep for sweep in sweeps}
    expectations = [e for e in exhibit.expectations if {e.better, e.other} <= by_stem.keys()]
    return Record(
        figure=figure,
        scale=scale,
        drawn=datetime.now(UTC).date().isoformat(),
        caption=drawing.caption,
        commands=tuple(_commands(exhibit, sweeps, expectations)),
        sweeps=tuple(sweep.used for sweep in sweeps),
        findings=(
            *(f for statement in exhibit.statements for f in _findings_of_statement(statement, sweeps)),
            *(_finding_of_expectation(expectation, by_stem) for expectation in expectations),
            *_findings_of_numbers(exhibit, sweeps, drawing.data),
        ),
    )


def _findings_of_statement(statement: Statement, sweeps: Sequence[RecognizedSweep]) -> Iterable[Finding]:
    """Yield the verdict of each sweep that a statement applies to; others are left out."""
    for sweep in sweeps:
        verdict = sweep.verdicts.get(statement.claim)
        if verdict is None or (statement.grids and sweep.used.grid not in statement.grids):
            continue
        agrees = (_SAME if statement.holds else _OPPOSITE).get(verdict.verdict)
        if agrees is None:  # not asked, or a word of another version of this program
            continue
        unjudged = statement.unjudged_at_small_scale if sweep.shipped.scale == "small" else ""
        title = CLAIMS_BY_NAME[statement.claim].title
        yield Finding(
            what=title if statement.holds else f"Not so: {title}",
            claim=statement.claim,
            of=sweep.used.grid,
            paper=statement.paper,
            agrees="" if unjudged else agrees,
            value=verdict.value,
            interval=verdict.interval,
            why=f"{unjudged}; {verdict.why}" if unjudged else verdict.why,
        )


def _finding_of_expectation(expected: Expectation, sweeps: Mapping[str, RecognizedSweep]) -> Finding:
    """Return the contest of two sweeps. Its value is better - other for an accuracy, better/other for a time."""
    other, better = (read_side(sweeps[stem].directory.root, stem) for stem in (expected.other, expected.better))
    contest = next(c for c in compare(other, better) if c.claim == expected.claim)
    agrees: Agreement = "inconclusive" if contest.winner == INCONCLUSIVE else "fail"
    return Finding(
        what=_CONTEST_TITLES[expected.claim],
        claim=expected.claim,
        of=f"{expected.better}, {expected.other}",
        paper=expected.words,
        agrees="pass" if contest.winner == expected.better else agrees,
        value=contest.value,
        interval=contest.interval,
        why=contest.why,
    )


def _findings_of_numbers(exhibit: Exhibit, sweeps: Sequence[RecognizedSweep], data: pd.DataFrame) -> Iterable[Finding]:
    """Yield the numbers that are read off a figure.

    Args:
        exhibit: The figure.
        sweeps: Sweeps that it was drawn from.
        data: Table of what it shows.
    """
    subject = ", ".join(sweep.used.grid for sweep in sweeps)
    for number in exhibit.numbers:
        reading = number.read(data)
        value = float(reading.value) if np.isfinite(reading.value) else None
        agrees: Agreement = ""
        if value is not None and number.maximum is not None:
            agrees = "pass" if value <= number.maximum else "fail"
        yield Finding(
            what=number.name,
            claim="",
            of=subject,
            paper=number.paper,
            agrees=agrees,
            value=value,
            interval=None,
            why=reading.remark,
        )


def _commands(
    exhibit: Exhibit, sweeps: Sequence[RecognizedSweep], expectations: Sequence[Expectation]
) -> Iterable[str]:
    """Yield the commands that reproduce a figure.

    Args:
        exhibit: The figure.
        sweeps: Sweeps that it was drawn from.
        expectations: Pairs of sweeps that were compared.
    """
    folders = {sweep.used.grid: f"runs/{sweep.grid.name}" for sweep in sweeps}
    for sweep in sweeps:
        grid, renamed = sweep.grid, sweep.grid.name != sweep.shipped.grid.name
        changes = f" --set budget.constant={grid.budget.constant:g} --name {grid.name}" if renamed else ""
        yield f"sweeper run {sweep.shipped.path}{changes}"
    yield " ".join(["sweeper figure", exhibit.layout, *(f"runs/{sweep.grid.name}" for sweep in sweeps)])
    yield from dict.fromkeys(f"sweeper compare {folders[e.other]} {folders[e.better]}" for e in expectations)


def _small_png(png: bytes) -> bytes:
    """Return the same picture with a palette of ``PALETTE_COLORS``."""
    content = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        reduced = picture.convert("RGB").quantize(PALETTE_COLORS, dither=Image.Dither.NONE)
        reduced.save(content, format="PNG", optimize=True)
    return content.getvalue()
