"""Memory of the driver while 1,000 tiny points train, with few and with many rows: it should not see the difference.

python benchmarks/driver_memory.py
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GRID = Path(__file__).parent / "digits.yaml"
POINTS = [
    "axes={eta: {log: [0.1, 10], num: 25}, lam: {log: [1e-4, 1e-2], num: 40}}",
    "trainable.model.width=8",
    "trainable.data.train=128",
    "budget={rule: fixed, constant: 200}",
]


def resident_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def peak_while_training(measure):
    """(rows, MiB of the driver at most between the first part and the analysis)."""
    import pyarrow.dataset as ds

    out = Path(tempfile.mkdtemp(prefix="memory-"))
    settings = [*POINTS, f"measure={measure}"]
    command = [sys.executable, "-m", "sweeper", "run", GRID, "--out", out, "--tracking-uri", "none"]
    command += [part for setting in settings for part in ("--set", setting)]
    peak = 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        while driver.poll() is None:
            if any((out / "digits/rows").glob("*.parquet")) and not (out / "digits/points.parquet").exists():
                peak = max(peak, resident_mib(driver.pid))
            time.sleep(0.2)
    return ds.dataset(out / "digits/rows", format="parquet").count_rows(), peak


def main():
    print(f"driver of 1,000 points on {os.cpu_count()} cores")
    for measure in ("{every: {steps: 100}}", "{every: epoch}"):
        rows, mib = peak_while_training(measure)
        print(f"  {rows:9,} rows   {mib:6.0f} MiB at most while training", flush=True)


if __name__ == "__main__":
    main()
