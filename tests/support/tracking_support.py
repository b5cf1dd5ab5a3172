"""Sweep directories made by hand, and the runs that MLflow has of them."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow import MlflowClient

from results.store.commits import Commit, PointEnd
from results.store.files import write_text
from results.store.parts import write_part
from results.store.schema import COLUMNS, row_schema
from results.store.sweep_dir import SweepDir
from search_spaces.outcome import Outcome

CREATED = "2026-11-20T11:00:00+00:00"
START = 1795172400000
PLAN = {"created": CREATED, "workers": 1, "device": "cpu", "resources": {}, "packs": [], "points": []}
GRID = """
name: digits
trainable: {model: {name: fc, width: 64}, data: {name: digits, train: 512}, batch: full}
axes: {eta: [0.3, 1], lam: [0.01, 1e-3]}
budget: {rule: fixed, constant: 200}
measure: {log: 60}
"""


def begin(directory: SweepDir) -> SweepDir:
    """Write the grid and the plan of a sweep."""
    write_text(directory.grid, GRID)
    write_text(directory.plan, json.dumps(PLAN))
    return directory


def make_rows(directory: SweepDir, point: str, pack: str, eta: float, lam: float, n: int, extra=None) -> pa.Table:
    """Return about ``n`` rows of a point, spread over decades of steps, the best at step 30."""
    steps = np.unique(np.round(np.geomspace(1, 10 * n, n)).astype(np.int64))
    acc = 0.9 - 0.1 * np.abs(np.log(steps / 30)) / 5
    numbers = {c.name: np.zeros(len(steps)) for c in COLUMNS}
    numbers |= {"eta": eta, "lam": lam, "budget": 200.0, "mu": 0.0, "step": steps, "epoch": steps / 2}
    numbers |= {"decay_time": steps * eta * lam, "test_acc": acc, "train_acc": acc + 0.05, "test_loss": 1 - acc}
    numbers |= {"train_loss": 0.9 - acc, "weight_norm": 100 - acc, "seconds": steps / 1000}
    numbers |= {"sweep": directory.name, "point": point, "pack": pack} | (extra or {})
    frame = pd.DataFrame(numbers)
    axes = {name: pa.float64() for name in extra or {}}
    return pa.Table.from_pandas(frame, schema=row_schema(axes), preserve_index=False)


def end_of(point: str, pack: str, outcome: Outcome = Outcome.COMPLETED, **more) -> PointEnd:
    """Return the end of a point, with usual values where none are given."""
    values = {"attempt": 0, "steps": 300, "seconds": 3.5, "best_test_acc": 0.9, "kappa": 0.5} | more
    return PointEnd(point=point, pack=pack, outcome=outcome, **values)


def add(directory: SweepDir, names: list[str], n: int = 200, extra=None, **end) -> None:
    """Commit points that have ended, each as a pack of its own."""
    for name in names:
        pack = f"pack{name}"
        rows = make_rows(directory, name, pack, 1.0, 0.001 * (1 + len(names)), n, extra)
        commit = Commit(ends=(end_of(name, pack, **end),), finished=True)
        write_part(directory, pack, end.get("attempt", 0), (), rows, commit)


def dump(uri: str, name: str = "digits") -> dict[str, dict]:
    """Return everything that MLflow has of active runs by run id, histories included."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    return {
        r.info.run_id: {
            "info": (r.info.run_name, r.info.status, r.info.start_time, r.info.end_time),
            "params": r.data.params,
            "tags": r.data.tags,
            "metrics": {
                k: sorted((m.step, m.timestamp, str(m.value)) for m in client.get_metric_history(r.info.run_id, k))
                for k in r.data.metrics
            },
        }
        for r in runs
    }


def by_point(uri: str, name: str = "digits") -> dict[str, dict]:
    """Return the runs of ``dump`` by point; the run of the sweep is ``parent``."""
    return {run["tags"].get("sweeper.point", "parent"): run for run in dump(uri, name).values()}


def write_findings(directory: SweepDir, value: float = -0.98) -> None:
    """Write verdicts, a report and a figure, as an analysis does."""
    verdicts = [
        {
            "claim": "scaling",
            "value": value,
            "interval": [-1.1, -0.9],
            "threshold": "-1 ± 0.1",
            "verdict": "pass",
            "why": "|b|",
        },
        {
            "claim": "λ_pred order",
            "value": None,
            "interval": None,
            "threshold": "<= 10",
            "verdict": "inconclusive",
            "why": "",
        },
    ]
    write_text(directory.analysis / "verdicts.json", json.dumps({"verdicts": verdicts}))
    write_text(directory.report, "<h1>report</h1>")
    write_text(directory.analysis / "figures" / "scaling.svg", "<svg/>")
    write_text(directory.analysis / "figures" / "scaling.csv", "a,b\n")
