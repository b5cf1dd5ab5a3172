"""``sweeper gallery`` from real sweeps of small grids: recognized, drawn, remembered."""

import io
import itertools
import json
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from tests_support import SMALL

from results.figures.paper.catalog import FIGURES
from results.gallery.make import make_gallery
from results.gallery.record_files import read_records
from search_spaces.errors import InputError
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.cli.app import main
from sweeper.driver.run import run_sweep
from sweeper.worker.torch_process import device_name

GRIDS = {
    "small/fig2abc": SMALL.replace("name: small", "name: small-fig2abc", 1),
    "small/fig1c-auto": """
name: small-fig1c-auto
trainable: {model: {name: fc, width: 16, depth: 2}, data: {name: digits, train: 64}}
l2: {auto: {every: 2}}
axes: {eta: [0.3], lam: [0.1], seed: [0, 1, 2]}
budget: {rule: fixed, constant: 60}
measure: {log: 10}
""",
    "small/fig1c-constants": """
name: small-fig1c-constants
trainable: {model: {name: fc, width: 16, depth: 2}, data: {name: digits, train: 64}}
axes: {eta: [0.3], lam: [0.001, 0.1], seed: [0, 1, 2]}
budget: {rule: fixed, constant: 60}
measure: {log: 10}
""",
    "paper/figS7": """
name: figS7
trainable: {model: {name: fc, width: 32, depth: 2}, data: {name: digits, train: 64}, loss: {name: softmax, scale: mean}}
axes: {eta: [0.3], lam: [0, 0.001, 0.01]}
budget: {rule: fixed, constant: 200}
measure: {log: 10}
""",
}


def run(text, out, *changes):
    return run_sweep(load_grid(text, "grid.yaml", changes), out, InProcessBackend, None, Console(file=io.StringIO()))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with ``grids/`` and, in ``runs/``, a sweep of each."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in GRIDS.items():
        path = folder / "grids" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        run(text, folder / "runs")
    return folder


@pytest.fixture
def draw(project, tmp_path):
    """Makes the gallery in ``tmp_path/docs`` from folders; gives what was printed and the records of sweeps."""

    def make(*roots, grids=project / "grids"):
        console = Console(file=io.StringIO(), width=500)
        make_gallery(roots, tmp_path / "docs", grids, console)
        records = read_records(tmp_path / "docs/gallery")
        assert (("5ab", "paper") in records) == ("5ab" in FIGURES)  # of theory alone: drawn whatever is given
        return console.file.getvalue(), {key: record for key, record in records.items() if record.sweeps}

    return make


def test_a_sweep_becomes_a_record_a_picture_and_two_pages(project, draw, tmp_path):
    said, records = draw(project / "runs/small-fig2abc")
    assert "recognized" in said
    assert "fig2abc, small sibling, 6 of 6 points" in said
    assert set(records) >= {("2abc", "small"), ("S6", "small")}
    record = records["2abc", "small"]
    verdicts = json.loads((project / "runs/small-fig2abc/analysis/verdicts.json").read_text())["verdicts"]
    told = {v["claim"]: v for v in verdicts}
    judged = [f for f in record.findings if f.claim]
    assert [f.claim for f in judged] == ["scaling", "plateau", "eta_independence", "fixed_budget_optimum"]
    for finding in judged:
        own = told[finding.claim]
        assert (finding.value, finding.interval, finding.agrees) == (own["value"], own["interval"], own["verdict"])
    points = pd.read_parquet(project / "runs/small-fig2abc/points.parquet")
    [used] = record.sweeps
    assert (used.planned, used.missing, sum(used.outcomes.values())) == (6, 0, 6)
    assert used.seconds == pytest.approx(points.groupby(["pack", "attempt"])["seconds"].max().sum(), abs=0.1)
    assert list(used.devices) == [device_name("cpu")]
    assert list(record.commands) == ["sweeper run grids/small/fig2abc.yaml", "sweeper figure 2 runs/small-fig2abc"]
    with Image.open(tmp_path / "docs/gallery/2abc-small.png") as picture:
        assert picture.mode == "P"
        assert picture.width > 600
    page = (tmp_path / "docs/gallery.md").read_text()
    assert "(gallery/2abc-small.png)" in page
    assert "Not yet run at paper scale." in page
    assert "data:image/png" in (tmp_path / "docs/gallery.html").read_text()


def test_a_second_sweep_keeps_the_first_though_its_folder_is_gone(project, draw, tmp_path):
    lent = shutil.copytree(project / "runs/small-fig2abc", tmp_path / "lent/small-fig2abc")
    _, before = draw(lent)
    shutil.rmtree(tmp_path / "lent")
    _, after = draw(project / "runs/figS7")
    assert after[("2abc", "small")] == before[("2abc", "small")]
    assert ("S7", "paper") in after
    page = (tmp_path / "docs/gallery.md").read_text()
    assert "(gallery/2abc-small.png)" in page
    assert "(gallery/S7-paper.png)" in page
    _, again = draw()
    assert again == after


def test_two_sweeps_are_compared_as_the_paper_does(project, draw):
    said, records = draw(project / "runs/small-fig1c-auto")
    assert "not drawn" in said
    assert "it needs one sweep with AutoL2 (l2.auto) and one of constant λ" in said
    assert not records
    _, records = draw(project / "runs")
    found = {f.claim: f for f in records["1c", "small"].findings}
    assert set(found) == {"best_accuracy", "time_epochs"}
    assert found["best_accuracy"].interval is not None
    assert found["best_accuracy"].of == "fig1c-auto, fig1c-constants"
    low, high = found["best_accuracy"].interval
    assert found["best_accuracy"].agrees == ("pass" if low > 0 else "fail" if high < 0 else "inconclusive")
    said, kept = draw(project / "runs/small-fig1c-constants")
    assert "its record is also of small-fig1c-auto; give that sweep too" in said
    assert kept[("1c", "small")] == records[("1c", "small")]


def test_what_the_paper_says_does_not_hold_agrees_where_it_fails(project, draw):
    _, records = draw(project / "runs/figS7")
    verdicts = json.loads((project / "runs/figS7/analysis/verdicts.json").read_text())["verdicts"]
    ruling = next(v["verdict"] for v in verdicts if v["claim"] == "overparameterized")
    finding = next(f for f in records["S7", "paper"].findings if f.claim == "overparameterized")
    assert finding.agrees == {"pass": "fail", "fail": "pass"}.get(ruling, ruling)
    assert ruling != "inconclusive"


def test_a_verdict_in_the_words_of_another_version_is_left_out(project, draw, tmp_path):
    copy = shutil.copytree(project / "runs/figS7", tmp_path / "other/figS7")
    verdicts = copy / "analysis/verdicts.json"
    content = json.loads(verdicts.read_text())
    for verdict in content["verdicts"]:
        if verdict["claim"] == "overparameterized":
            verdict |= {"verdict": "guessed", "hint": 1}
    verdicts.write_text(json.dumps(content))
    _, records = draw(copy)
    assert "overparameterized" not in {f.claim for f in records["S7", "paper"].findings}


def test_a_sweep_with_other_points_is_refused_whatever_its_name(project, draw, tmp_path):
    run(GRIDS["small/fig2abc"], tmp_path / "runs", "trainable.model.width=8")
    with pytest.raises(InputError, match=r"6 of its 6 points are not in grids/small/fig2abc\.yaml"):
        draw(tmp_path / "runs")
    said, records = draw(tmp_path / "runs", project / "runs/figS7")
    assert "left out" in said
    assert set(records) == {("S7", "paper")}


def test_a_part_of_a_grid_is_drawn_and_says_so(draw, tmp_path):
    run(GRIDS["small/fig2abc"], tmp_path / "runs", "axes.eta=[0.3]")
    said, records = draw(tmp_path / "runs")
    assert "3 of 6 points" in said
    assert records["2abc", "small"].missing == 3
    page = (tmp_path / "docs/gallery.md").read_text()
    assert "points missing: 3" in page
    assert "(3 of 6 points) |" in page  # in the table of contents


def test_the_images_of_a_grid_may_come_from_a_folder(draw, tmp_path):
    paper = GRIDS["paper/figS7"]
    path = tmp_path / "grids/paper/figS7.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(paper.replace("{name: digits, train: 64}", "{name: cifar10}"), encoding="utf-8")
    random = np.random.default_rng(0)
    for part, label in itertools.product(("train", "test"), ("cat", "dog")):
        folder = tmp_path / "pets" / part / label
        folder.mkdir(parents=True)
        for number in range(8):
            pixels = random.integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    images = f"{{name: image_folder, root: {tmp_path / 'pets'}}}"
    run(paper.replace("{name: digits, train: 64}", images), tmp_path / "runs", "measure={log: 7}")
    _, records = draw(tmp_path / "runs", grids=tmp_path / "grids")
    [used] = records["S7", "paper"].sweeps
    assert (used.trains, used.planned, used.missing) == ("fc on images in pets", 3, 0)
    assert used.samples == (16, 16)
    run(paper.replace("{name: digits, train: 64}", images), tmp_path / "others", "trainable.model.width=8")
    run(paper.replace("{name: digits, train: 64}", images), tmp_path / "fewer", "measure={log: 7, train: 3}")
    for folder in ("others", "fewer"):
        with pytest.raises(InputError, match="3 of its 3 points are not in"):
            draw(tmp_path / folder, grids=tmp_path / "grids")


def test_a_grid_at_another_fixed_budget_is_known_by_the_name_the_grid_gives_it(draw, project, tmp_path):
    path = tmp_path / "grids/small/figS8b.yaml"
    path.parent.mkdir(parents=True)
    text = SMALL.replace("name: small", "name: small-figS8b", 1).replace(
        "{rule: inverse_eta_lam, constant: 1, max: 60}", "{rule: fixed, constant: 30}"
    )
    path.write_text(text, encoding="utf-8")
    runs = tmp_path / "runs"
    run(text, runs)
    run(text, runs, "budget.constant=10", "name=small-figS8b-10")
    run(text, runs, "budget.constant=20", "name=small-figS8b-40")
    said, records = draw(runs, grids=tmp_path / "grids")
    assert "small-figS8b-40: no grid of the paper" in said
    record = records["S8", "small"]
    assert [(s.name, s.grid, s.planned, s.missing) for s in record.sweeps] == [
        ("small-figS8b", "figS8b", 6, 0),
        ("small-figS8b-10", "figS8b", 6, 0),
    ]
    command = "sweeper run grids/small/figS8b.yaml --set budget.constant=10 --name small-figS8b-10"
    assert command in record.commands


def test_of_two_sweeps_of_one_grid_the_fuller_is_drawn(project, draw, tmp_path):
    run(GRIDS["small/fig2abc"], tmp_path / "runs", "axes.eta=[0.3]")
    for order in ([tmp_path / "runs", project / "runs"], [project / "runs", tmp_path / "runs"]):
        _, records = draw(*order)
        assert records["2abc", "small"].missing == 0


def test_other_sweeps_and_folders_are_refused_in_one_paragraph(project, tmp_path, monkeypatch, capsys):
    run(SMALL, tmp_path / "runs", "axes.eta=[0.3]", "axes.lam=[0.1]")
    monkeypatch.chdir(project)
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, said in [
        ([tmp_path / "runs/small"], "no grid of the paper, nor a small sibling of one, is named small."),
        ([empty], "no sweep here; give the folder that 'sweeper run' made"),
        ([project / "runs", "--grids", empty], "no paper/*.yaml or small/*.yaml here"),
    ]:
        out = ["--out", str(tmp_path / "docs")]
        monkeypatch.setattr(sys, "argv", ["sweeper", "gallery", *map(str, arguments), *out])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        printed = capsys.readouterr()
        assert said in printed.err
        assert not (tmp_path / "docs").exists()


def test_the_command_prints_the_pages(project, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(project)
    monkeypatch.setattr(
        sys, "argv", ["sweeper", "gallery", "runs/figS7", "--grids", "grids", "--out", str(tmp_path / "docs")]
    )
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "docs" / n) for n in ("gallery.md", "gallery.html")]
