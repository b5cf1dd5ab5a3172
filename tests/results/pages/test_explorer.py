"""The report in a real browser: it answers to the hand, and axe-core finds nothing serious.

AXE=node_modules/axe-core/axe.min.js names the file of axe-core, which ``npm install axe-core`` brings.
"""

import io
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from tests_support import SMALL

from results.pages.clocks import ClockSection
from results.pages.explorer import explore
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver.run import run_sweep

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
AXE = os.environ.get("AXE")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a real sweep, as an address."""
    grid, out = load_grid(SMALL, "grid.yaml"), tmp_path_factory.mktemp("runs")
    run_sweep(grid, out, InProcessBackend, None, Console(file=io.StringIO()))
    return (out / grid.name / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    playwrights = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[dev]'")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with playwrights.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, report):
    """The report; a test fails if its script raised an error."""
    page, errors = browser.new_page(viewport={"width": 1280, "height": 900}), []

    def keep(error):  # a method of a list takes no attributes, which playwright gives it
        errors.append(error)

    page.on("pageerror", keep)
    page.goto(report)
    yield page
    page.close()
    assert errors == []


def point_at(page, mark):
    """Move the pointer onto a mark."""
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*place)
    return place


@pytest.mark.slow
def test_a_point_under_the_pointer_lights_up_and_a_click_keeps_it(page):
    mark = page.locator("#figure-collapse svg.panel >> nth=1 >> use[data-point]").first
    place = point_at(page, mark)
    id_ = page.locator("#card dd").first.inner_text()
    assert page.locator(f"#figure-collapse g.lit[data-point='{id_}']").count() == 1, "its curve"
    assert page.locator("#card dt").all_inner_texts()[-3:] == ["test accuracy", "t* (epochs)", "κ"]
    page.mouse.click(*place)
    page.get_by_role("button", name="Copy id").click()
    page.get_by_text("Copied.").or_(page.get_by_text("Selected:")).wait_for()
    page.keyboard.press("Escape")
    assert not page.locator("#card").is_visible()


@pytest.mark.slow
def test_a_point_is_reached_by_the_keyboard(page):
    page.get_by_label("Point", exact=True).focus()
    page.keyboard.press("ArrowDown")
    chosen = page.get_by_label("Point", exact=True).input_value()
    assert page.locator("#card dd").first.inner_text() == chosen
    assert page.locator(f"tr.lit[data-point='{chosen}']").count() == 1


@pytest.mark.slow
def test_an_eta_filters_panels_and_tables_and_show_all_brings_all_back(page):
    rows = page.locator("table.data tbody tr[data-point]:visible")
    everything = rows.count()
    page.locator("[data-axis=lam]").last.click()
    assert 0 < rows.count() < everything
    assert page.locator("svg [data-point].off").count() > 0
    page.get_by_role("button", name="Show all").click()
    assert rows.count() == everything
    assert page.locator("svg .off").count() == 0


@pytest.mark.slow
def test_tables_are_sorted_and_filtered(page):
    table = page.locator("table.data").last
    table.get_by_role("button", name="test accuracy").click()
    assert table.locator("th[aria-sort=ascending]").inner_text().startswith("test accuracy")
    column = table.locator("thead th").evaluate_all("heads => heads.findIndex(h => h.ariaSort === 'ascending')")
    values = table.locator("tbody tr").evaluate_all(f"rows => rows.map(r => Number(r.cells[{column}].dataset.value))")
    assert values == sorted(values)
    page.get_by_label("Filter rows").last.fill("no such row")
    assert table.locator("tbody tr:visible").count() == 0


@pytest.mark.slow
def test_another_clock_takes_the_place_of_t_star_and_gives_it_back(page):
    cells = page.locator("td[data-clock=time]")
    before = cells.all_inner_texts()
    title = page.locator("#figure-collapse svg.panel title").last
    assert "Steps to maximum" in title.text_content()
    page.get_by_label("Clock", exact=True).select_option("train_loss")
    assert "training loss" in page.locator("#figure-collapse svg.panel title").last.text_content()
    assert cells.all_inner_texts() != before
    page.get_by_label("Clock", exact=True).select_option("t_star")
    assert cells.all_inner_texts() == before
    assert page.locator(".moved").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious(browser, report, width, scheme):
    if AXE is None:
        pytest.skip("axe-core is not named: npm install axe-core, and AXE=…/axe-core/axe.min.js")
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(report)
    page.locator("[data-axis]").first.click()
    page.get_by_label("Point", exact=True).select_option(index=1)
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    page.close()
    serious = [v for v in found if v["impact"] in {"serious", "critical"}]
    assert [(v["id"], [node["html"][:200] for node in v["nodes"]][:3]) for v in serious] == []


def test_without_points_there_is_nothing_to_explore():
    assert explore(pd.DataFrame(), ClockSection(verdicts=()), []) == {}
