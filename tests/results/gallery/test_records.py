"""Records of the gallery and the two pages made of them alone."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from results.claims.judge import CLAIMS_BY_NAME
from results.figures.drawing import Drawing as Drawn
from results.figures.drawing import render
from results.figures.layout import new_figure
from results.figures.paper.catalog import FIGURES
from results.gallery.beyond import BEYOND
from results.gallery.exhibits import EXHIBITS
from results.gallery.html import render_html
from results.gallery.markdown import render_markdown
from results.gallery.record_files import read_records, write_record
from results.gallery.records import Finding, Record, SweepUsed
from search_spaces.errors import InputError

GRIDS = Path(__file__).parents[3] / "grids"
FINDING = Finding(
    what="t* falls as 1/(ηλ)",
    claim="scaling",
    of="fig2abc",
    paper="exponent −1",
    agrees="pass",
    value=-1.01,
    interval=(-1.04, -0.98),
    why="t* goes as eta*lam | to the power -1.01",
)
SWEEP = SweepUsed(
    grid="fig2abc",
    name="fig2abc",
    trains="fc on mnist",
    planned=272,
    missing=2,
    outcomes={"completed": 268, "diverged": 2},
    seconds=7300.0,
    devices=("NVIDIA H200",),
    started="2026-07-30T12:00:00+00:00",
    samples=(512, 5000),
)
RECORD = Record(
    figure="2abc",
    scale="paper",
    drawn="2026-07-31",
    caption="Epochs <and> accuracy.",
    commands=("sweeper run grids/paper/fig2abc.yaml",),
    sweeps=(SWEEP,),
    findings=(FINDING,),
)


@pytest.fixture(scope="module")
def picture():
    figure, _ = new_figure(["a"], 3.0)
    empty = pd.DataFrame({"x": [1.0]})
    return render(Drawn(name="a", title="a", caption="", panels=("a",), figure=figure, data=empty)).png


@pytest.fixture
def folder(tmp_path, picture):
    write_record(tmp_path / "gallery", RECORD, picture)
    return tmp_path / "gallery"


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.addresses, self.ids = [], set()

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.addresses += [known[name] for name in ("src", "href", "srcset", "data") if name in known]
        self.ids |= {known["id"]} if "id" in known else set()


def test_a_record_is_read_as_it_was_written(folder):
    [(key, record)] = read_records(folder).items()
    assert key == ("2abc", "paper")
    assert replace(record, commands=tuple(record.commands), sweeps=RECORD.sweeps, findings=RECORD.findings) == RECORD
    assert record.missing == 2
    assert record.findings[0].value == -1.01
    assert read_records(folder / "nowhere") == {}


def test_markdown_says_what_was_found_and_what_was_not_run(folder):
    page = render_markdown(read_records(folder))
    counts = (
        "Of 20 figures, 1 drawn at paper scale (statements judged: 1 ✓); 0 drawn as a small sibling; 19 not at all."
    )
    assert counts in page
    assert "| [2a–c](#figure-2ac) | Fully connected network on MNIST | ✓ (270 of 272 points) | not run |" in page
    assert "270 of 272 ended (268 completed, 2 diverged); points missing: 2" in page
    assert "NVIDIA H200" in page
    assert "7\u202f300 s (2.03 h) of training, summed over workers" in page
    assert (
        "| exponent −1 | −1.01 \\[−1.04, −0.98\\] | ✓ as in the paper | t\\* goes as ηλ \\| to the power −1.01 |"
        in page
    )
    assert page.count("**Not yet run at any scale.**") == 18
    assert page.count("**Not yet drawn.**") == 1  # 5a–b, the theory
    own = re.search(r"## Figure 2a–c\n(.*?)\n## ", page, re.DOTALL)[1]
    assert "(gallery/2abc-paper.png)" in own
    assert "Not yet" not in own


def test_a_small_sibling_is_never_taken_for_paper_scale(folder, picture):
    write_record(folder, replace(RECORD, scale="small"), picture)
    (folder / "2abc-paper.json").unlink()
    page = render_markdown(read_records(folder))
    assert "**Not yet run at paper scale.** `sweeper run grids/paper/fig2abc.yaml`" in page
    assert "| not run | ✓ (270 of 272 points) |" in page
    assert "Not yet run at paper scale." in render_html(read_records(folder), folder)


def test_a_small_sibling_says_on_what_it_trained_and_why_statements_are_open(folder, picture):
    finding = replace(FINDING, agrees="inconclusive")
    for name, found in (("open", finding), ("decided", FINDING)):
        write_record(folder, replace(RECORD, figure="3", scale="small", findings=(found,)), picture)
        for page in (render_markdown(read_records(folder)), render_html(read_records(folder), folder)):
            assert "fc on mnist, 512 training and 5\u202f000 test samples" in page
            assert ("an exponent to ±0.1 takes about 200 runs" in page) == (name == "open")


BEYOND_RECORD = replace(
    RECORD, figure="B1", scale="small", sweeps=(replace(SWEEP, grid="momentum", name="small-momentum"),)
)


def test_what_lies_beyond_the_paper_is_told_apart_from_it(folder, picture):
    write_record(folder, BEYOND_RECORD, picture)
    page = render_markdown(read_records(folder))
    assert "Of 20 figures, 1 drawn at paper scale (statements judged: 1 ✓); 0 drawn as a small sibling; 19" in page
    assert "| [B1](#b1) | Momentum | ✓ (270 of 272 points) |" in page
    assert "| [B2](#b2) | Warm-up and cosine | not run |" in page
    own = re.search(r"### B1\n(.*?)\n### B2", page, re.DOTALL)[1]
    assert "(gallery/B1-small.png)" in own
    assert "✓ as said" in own
    assert not re.search(r"paper scale|mall sibling|as in the paper", own)
    assert "**Not yet run.** `sweeper run grids/small/warmup.yaml`" in page
    page = render_html(read_records(folder), folder)
    parser = _Page()
    parser.feed(page)
    assert {a[1:] for a in parser.addresses if a.startswith("#")} <= parser.ids
    assert page.count("<h3>Small sibling</h3>") == 0
    assert '<h3 id="b1-title">B1: Momentum</h3>' in page


def test_html_stands_alone(folder):
    page = render_html(read_records(folder), folder)
    parser = _Page()
    parser.feed(page)
    assert all(a.startswith(("#", "data:image/png;base64,")) for a in parser.addresses)
    assert {a[1:] for a in parser.addresses if a.startswith("#")} <= parser.ids
    assert sum(a.startswith("data:") for a in parser.addresses) == 1
    assert not re.search(r"@import|url\((?!#)", page)
    assert "Epochs &lt;and&gt; accuracy." in page
    assert '<span class="mark pass"' in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: "{", "damaged (Invalid JSON"),
        (lambda data: [], "damaged (Input should be"),
        (lambda data: data | {"colour": 1}, "damaged (colour: Unexpected keyword"),
        (lambda data: data | {"figure": "9z"}, "damaged (no figure 9z)"),
        (
            lambda data: data | {"findings": [data["findings"][0] | {"agrees": "yes"}]},
            "findings.0.agrees: Input should be 'pass', ",
        ),
        (lambda data: data | {"scale": "small"}, "is that of 2abc-small"),
    ],
)
def test_a_damaged_record_is_said_in_one_paragraph(folder, change, said):
    path = folder / "2abc-paper.json"
    changed = change(json.loads(path.read_text()))
    path.write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(InputError) as error:
        read_records(folder)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert "Remove it and draw the figure again: sweeper gallery SWEEP_DIR" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_record_without_its_picture_is_said(folder):
    (folder / "2abc-paper.png").unlink()
    with pytest.raises(InputError, match=r"2abc-paper\.png, is not there"):
        read_records(folder)


def test_every_grid_of_the_paper_has_its_figure_and_every_figure_its_claims():
    used = {stem for exhibit in EXHIBITS.values() for stem in exhibit.grids}
    assert used == {path.stem for path in (GRIDS / "paper").glob("*.yaml")}
    for exhibit in EXHIBITS.values():
        assert {statement.claim for statement in exhibit.statements} <= set(CLAIMS_BY_NAME)
        assert {stem for statement in exhibit.statements for stem in statement.grids} <= set(exhibit.grids)
        assert {stem for c in exhibit.expectations for stem in (c.better, c.other)} <= set(exhibit.grids)


def test_what_lies_beyond_the_paper_has_its_grids_and_its_claims():
    assert all((GRIDS / f"small/{stem}.yaml").is_file() for exhibit in BEYOND.values() for stem in exhibit.grids)
    assert not set(BEYOND) & set(EXHIBITS)
    for exhibit in BEYOND.values():
        assert exhibit.beyond
        assert exhibit.layout in FIGURES
        assert {statement.claim for statement in exhibit.statements} <= set(CLAIMS_BY_NAME)


def test_every_layout_that_needs_sweeps_has_its_place():
    assert {exhibit.layout for exhibit in EXHIBITS.values() if exhibit.grids} <= set(FIGURES)
