"""The style of figures is sweeper's, whatever a user has set for matplotlib."""

import os
import subprocess
import sys

import matplotlib as mpl
import pandas as pd
import pytest
from cycler import cycler

from results.figures.drawing import Drawing, render
from results.figures.layout import new_figure
from results.figures.style import BLUE, lam_scale, styled


def drawn():
    """A small figure with all that settings change: lines, marks, texts, ticks, a grid, a legend."""
    with styled():
        figure, (ax,) = new_figure(["p"], 4.0)
        ax.plot([1, 2, 3], [1, 4, 9], "o-", color=BLUE, label="a_b")
        ax.plot([1, 2, 3], [2, 3, 4])
        ax.set_xlabel(r"$\eta\lambda$")
        ax.legend()
    drawing = Drawing(name="d", title="d", caption="", panels=("p",), figure=figure, data=pd.DataFrame({"x": [1]}))
    return render(drawing)


SETTINGS = {
    "LaTeX": {"text.usetex": True},
    "large text": {"font.size": 30, "axes.labelsize": 40, "xtick.labelsize": "xx-large"},
    "a dark style": {"figure.facecolor": "black", "axes.facecolor": "black", "savefig.facecolor": "black"},
    "other lines": {"lines.linestyle": ":", "lines.marker": "x", "axes.prop_cycle": cycler(color=["red"])},
    "cut and transparent": {"savefig.bbox": "tight", "savefig.transparent": True, "figure.autolayout": True},
    "hand-drawn": {"path.sketch": (1, 100, 2), "axes.grid": False, "axes.spines.top": True},
    "texts that stay texts": {"svg.fonttype": "none", "text.parse_math": False, "font.family": "serif"},
    "a resolution": {"savefig.dpi": 10, "figure.dpi": 300, "svg.image_inline": False},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_script_that_has_set_matplotlib_gets_the_same_figure_and_keeps_its_settings(settings):
    expected = drawn()
    with mpl.rc_context(settings):
        before = {key: mpl.rcParams[key] for key in mpl.rcParams if key != "backend"}  # which is chosen when it is read
        assert drawn() == expected
        assert {key: mpl.rcParams[key] for key in before} == before


IMPORT = """
import logging; logging.disable()
import os
from results.figures.style import lam_scale
print(lam_scale([1.0, 2.0]).color(2.0), os.environ.get("MPLBACKEND"))
import matplotlib
print(matplotlib.rcParams["lines.linewidth"])
"""


@pytest.mark.parametrize(
    ("backend", "matplotlibrc"),
    [
        ("module://matplotlib_inline.backend_of_another_environment", "lines.linewidth: 7\n"),
        ("nonsense", "image.lut: 2\nlines.linewidth: 7\n"),
        ("nonsense", "backend: nonsense\nno.such.key: 1\ntext.usetex: True\nlines.linewidth: 7\n"),
    ],
)
def test_settings_of_the_environment_cost_no_figure_and_stay_those_of_the_user(tmp_path, backend, matplotlibrc):
    (tmp_path / "matplotlibrc").write_text(matplotlibrc)
    environment = os.environ | {"MPLBACKEND": backend}
    command = [sys.executable, "-W", "ignore", "-c", IMPORT]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{lam_scale([1.0, 2.0]).color(2.0)} {backend}", "7.0"]
    assert done.stderr == ""


def test_a_matplotlibrc_that_is_no_text_is_named(tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(b"# gr\xfcn\n")
    done = subprocess.run([sys.executable, "-c", IMPORT], cwd=tmp_path, capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert "InputError: matplotlibrc: matplotlib cannot read its settings" in last
    assert last.endswith("Mend or remove the file, in the working directory or in ~/.config/matplotlib.")
