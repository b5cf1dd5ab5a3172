"""MLflow's own page in a real browser: a sweep, its verdicts and a figure can be found there, without a network.

SCREENSHOT=docs/images/mlflow.png python -m pytest tests/sweeper/tracking/test_page.py

runs the grid of digits instead of a small one, and writes the picture of docs/mlflow.md.
"""

import io
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tests_support import SMALL

from results.store.sweep_dir import SweepDir
from results.store.tables import StoredVerdict, StoredWinner, VerdictsFile
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver.run import run_sweep
from sweeper.tracking.mirror import mirror
from sweeper.tracking.page import run_page, verdict_note

pytestmark = pytest.mark.timeout(600)

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
SCREENSHOT = os.environ.get("SCREENSHOT")
DIGITS = Path(__file__).parents[3] / "grids" / "digits.yaml"


@pytest.fixture(scope="module")
def report(server, tmp_path_factory):
    """A real sweep in the tracker."""
    grid = load_grid(DIGITS.read_text(encoding="utf-8") if SCREENSHOT else SMALL, "grid.yaml")
    out = tmp_path_factory.mktemp("runs")
    run_sweep(grid, out, InProcessBackend, None, Console(file=io.StringIO()))
    return mirror(SweepDir(out / grid.name), server)


@pytest.fixture
def page(server):
    """A page of a browser that may ask the server alone; what it asked of others is its attribute ``elsewhere``."""
    browsers = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[dev]'")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with browsers.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        context = browser.new_context(viewport={"width": 1500, "height": 1000})
        context.set_default_timeout(120_000)
        elsewhere = []

        def refuse(route):
            elsewhere.append(route.request.url)
            route.abort()

        context.route(lambda url: not url.startswith((server, "data:", "blob:")), refuse)
        page = context.new_page()
        page.elsewhere = elsewhere
        yield page
        browser.close()


def test_a_sweep_its_verdicts_and_a_figure_are_on_the_page(page, report, server, tmp_path):
    name = "digits" if SCREENSHOT else "small"
    page.goto(server)
    page.get_by_text("Model training", exact=True).click()
    page.get_by_role("link", name=name, exact=True).click()
    page.locator("a[href*='/runs/']").get_by_text(
        name, exact=True
    ).click()  # the sweep's; those of points are folded up

    page.get_by_text(re.compile(r"\d+ of \d+ claims pass")).wait_for()
    page.get_by_text("Show more").first.click()
    verdict = page.get_by_role("row").filter(has=page.get_by_role("cell", name="scaling", exact=True))
    assert re.search("✓ pass|✗ fail|. inconclusive", verdict.inner_text())
    picture = tmp_path / "mlflow.png"
    close_assistant(page)
    page.get_by_text(re.compile(r"\d+ of \d+ claims pass")).scroll_into_view_if_needed()
    page.screenshot(path=picture)
    if SCREENSHOT:
        shutil.copy(picture, SCREENSHOT)

    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("figures", exact=True).click()
    page.get_by_text("collapse.png", exact=True).click()
    figure = page.get_by_role("img", name="figures/collapse.png")
    figure.wait_for()
    page.wait_for_function("image => image.complete", arg=figure.element_handle())
    assert figure.evaluate("image => image.naturalWidth") > 0
    assert page.elsewhere == []


def test_the_link_that_track_prints_leads_to_the_sweep_and_on_to_its_points(page, report):
    page.goto(report.page)
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Table of points").click()
    points = opened.value
    for column in ("eta", "lam", "t_star", "kappa", "best_test_acc"):
        points.locator(f".ag-header-cell[col-id*='`{column}`']").wait_for()
    cells = points.locator("[role=gridcell][col-id*=best_test_acc]")
    cells.first.wait_for()
    accuracies = [float(text) for text in cells.all_inner_texts()]
    assert len(accuracies) == report.points
    assert accuracies == sorted(accuracies, reverse=True)
    assert page.elsewhere == []


def close_assistant(page):
    """A part of MLflow's page that covers a quarter of it."""
    button = page.get_by_role("button", name="Close", exact=True)
    if button.count():
        button.click()


PASS = StoredVerdict(claim="scaling_eta", verdict="pass", value=-0.98765, interval=(-1.1, -0.9), threshold="<= 0.1")
OPEN = StoredVerdict(claim="plateau", verdict="inconclusive", why="|b| of eta*lam")


BEST = StoredWinner(headline="λ = 0.001: 0.96 (2 seeds)", next_step="Train more seeds.")


def test_a_note_begins_with_the_best_setting():
    lines = verdict_note(VerdictsFile(verdicts=[PASS, OPEN], best=BEST), "7").splitlines()
    assert lines[0].endswith(" · **Best: λ = 0.001: 0.96 (2 seeds)** · **1 of 2 claims pass, 1 inconclusive**")
    assert lines[2] == "Train more seeds."


def test_a_note_says_how_many_claims_pass():
    lines = verdict_note(VerdictsFile(verdicts=[PASS, OPEN]), "7").splitlines()
    assert lines[0].startswith("[Table of points](#/experiments/7/runs?")
    assert lines[0].endswith(" · **1 of 2 claims pass, 1 inconclusive**")
    shown = lines[4].replace("&emsp;", "")
    assert shown == "| scaling\\_eta | ✓ pass | -0.988 | -1.1 … -0.9 | &lt;= 0.1 |"
    assert lines[-1] == "- **plateau**: \\|b\\| of eta\\*lam"


def test_a_note_shows_the_words_of_another_version_and_not_what_was_never_asked():
    odd, unasked = (replace(OPEN, verdict=word) for word in ("doubtful", "unasked"))
    lines = verdict_note(VerdictsFile(verdicts=[PASS, odd, unasked]), "7").splitlines()
    assert lines[0].endswith(" · **1 of 2 claims pass, 1 doubtful**")
    assert "| plateau &emsp;| doubtful &emsp;|" in lines[5]


def test_a_long_note_loses_whole_lines():
    note = verdict_note(VerdictsFile(verdicts=[PASS, *[replace(OPEN, why="x" * 499)] * 100]), "7")
    assert 4000 < len(note) < 5000
    assert note.splitlines()[-1].startswith(("- **plateau**", "| plateau"))


def test_only_servers_have_pages():
    assert run_page("sqlite:////runs/mlflow.db", "1", "ab") is None
    shown = "http://host:5000/#/experiments/1/runs/ab?workflowType=machine_learning"
    assert run_page("http://me:secret@host:5000/", "1", "ab") == shown
