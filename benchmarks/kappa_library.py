"""Write ``results/forecast/kappa.csv``: κ, its spread and the exponent of t*, one row a sweep.

    python benchmarks/kappa_library.py runs [runs2 ...] [--write]

Taken are the sweeps of grids that come with the project in which the law can be seen: constant η and λ; budgets that
grow with 1/λ (with a fixed one only those λ show their t* whose t* happens to fall into it); a network that fits its
training set; and at least four observed t*, more than lower bounds. Without ``--write`` the table is printed.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from results.analysis.fits import fit_exponents, fit_kappa
from results.analysis.regime import regime_of
from results.analysis.selection import in_law
from results.claims.limits import overparameterized
from results.store.plan_file import read_grid
from results.store.sweep_dir import SweepDir
from search_spaces.points import make_points
from search_spaces.reading.load import load_grid
from search_spaces.sections.grid import Grid
from search_spaces.sections.model import FullyConnected
from search_spaces.sections.trainable import Trainable
from trainables.task import scale_invariant_weights

ROOT = Path(__file__).parents[1]
LEAST = 4  # observed t*
Row = dict[str, object]


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="folders of sweeps")
    parser.add_argument("--write", action="store_true", help="replace results/forecast/kappa.csv")
    arguments = parser.parse_args()
    shipped = {frozenset(p.id for p in make_points(grid)): path for path, grid in _grids()}
    rows = [row for folder in arguments.folders for path in sorted(folder.iterdir()) if (row := _row(path, shipped))]
    table = pd.DataFrame(rows).sort_values(["optimizer", "grid"]).to_csv(index=False, float_format="%.4g")
    if arguments.write:
        (ROOT / "results/forecast/kappa.csv").write_text(table, encoding="utf-8")
    sys.stdout.write(table)


def _grids() -> list[tuple[str, Grid]]:
    paths = sorted((ROOT / "grids").rglob("*.yaml"))
    grids = [(p.relative_to(ROOT).as_posix(), load_grid(p.read_text(encoding="utf-8"), p.name)) for p in paths]
    return [(path, grid) for path, grid in grids if grid.l2.auto is None and isinstance(grid.trainable, Trainable)]


def _row(path: Path, shipped: dict[frozenset[str], str]) -> Row | None:
    """The row of a sweep; None where the law cannot be seen in it."""
    directory = SweepDir(path)
    if not (directory.analysis / "peaks.parquet").is_file():
        return None
    grid = read_grid(directory)
    source = shipped.get(frozenset(p.id for p in make_points(grid)))
    if source is None or grid.budget.rule == "fixed" or regime_of(grid).constant_share({}) < 1:
        return None
    peaks = pd.read_parquet(directory.analysis / "peaks.parquet")
    law = peaks[in_law(peaks) & ~peaks["censored"]]
    kappa, fit = fit_kappa(peaks), fit_exponents(peaks)
    if (
        overparameterized(peaks).verdict != "pass"
        or len(law) < max(LEAST, kappa.censored + 1)
        or not (kappa.kappa and kappa.kappa_gstd)
    ):
        return None
    nan = float("nan")
    low, high = (fit.gamma.interval if fit.gamma else None) or (nan, nan)
    return {
        "grid": source,
        **_words(grid),
        "kappa": kappa.kappa.value,
        "gstd": kappa.kappa_gstd.value,
        "exponent": fit.gamma.value if fit.gamma else nan,
        "exponent_low": low,
        "exponent_high": high,
        "of_eta": fit.alpha.value if fit.alpha else nan,
        "of_lam": fit.beta.value if fit.beta else nan,
        "points": len(law),
    }


def _words(grid: Grid) -> Row:
    trainable = grid.trainable
    assert isinstance(trainable, Trainable)  # of _grids
    model, data = trainable.model, trainable.data
    size = f"{model.depth} × {model.width}" if isinstance(model, FullyConnected) else ""
    train = getattr(data, "train", "all")
    return {
        "network": f"{model.name} {size}".strip(),
        "data": f"{data.name}, {train} images",
        "optimizer": grid.optimizer.name,
        "batch_norm": bool(scale_invariant_weights(trainable)),
    }


if __name__ == "__main__":
    main()
