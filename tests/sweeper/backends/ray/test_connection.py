"""The local Ray: where its files lie, who may read them, and how it says that it does not start."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults_support import Sweep, descendants, kill_all, ray_process
from tests_support import SMALL

from results.store.ledger import given_up, read_ends

pytestmark = [pytest.mark.ray, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
KEY, TOKEN = "AKIAS3CR3TKEY99", "mlfl0w-t0ken-of-mine"


@pytest.fixture
def short(tmp_path):
    """A folder with a short path, which all users may enter, as /tmp."""
    folder = Path(f"/tmp/sv{os.getpid()}")
    folder.mkdir(mode=0o755)
    yield folder
    for left in folder.iterdir():
        subprocess.run(["rm", "-rf", left], check=True)
    folder.rmdir()


def read_by_another_user(folder: Path) -> str:
    """All that another user can read below a folder."""
    code = (
        "import os, pathlib, sys; os.setgroups([]); os.setgid(54321); os.setuid(54321)\n"
        "for path in pathlib.Path(sys.argv[1]).rglob('*'):\n"
        "    try: print(path, path.read_text(errors='replace'))\n"
        "    except OSError as error: print(path.name, type(error).__name__)"
    )
    return subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True).stdout


def test_no_other_user_reads_the_token_and_no_log_has_a_key_of_s3(tmp_path, short):
    """Ray itself writes its token into the home with mode 644, and the keys into logs that all may read."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    secrets = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": f"{KEY}/2", "AWS_SESSION_TOKEN": f"{KEY}/3"}
    environment = secrets | {"RAY_TMPDIR": str(short), "HOME": str(home), "MLFLOW_TRACKING_TOKEN": TOKEN}
    environment["RAY_AUTH_TOKEN_PATH"] = ""  # that of the Ray of these tests
    sweep = Sweep(tmp_path / "runs")
    with sweep.running(**environment) as process:
        sweep.wait_for_parts(1, process)
        (folder,) = short.glob("sweeper.*")
        (token,) = folder.glob("auth_token")
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, token)]
        text = token.read_text()
        logs = [path for path in folder.rglob("*") if path.is_file()]
        held = [path for path in logs if KEY.encode() in path.read_bytes() or TOKEN.encode() in path.read_bytes()]
        seen = read_by_another_user(short) if os.geteuid() == 0 else ""
        lines = " ".join(descendants(process.pid).values())
        process.send_signal(signal.SIGTERM)
        assert process.wait(100) in {0, 130}
    assert modes == [0o700, 0o600]
    assert len(logs) > 10
    assert held == []
    assert len(text) == 64
    assert text not in seen + lines
    assert KEY not in seen + lines
    assert not (home / ".ray").exists()
    assert list(short.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "taken"), [(0o600, True), (0o644, False), (0o640, False), (0o604, False)])
@pytest.mark.parametrize("where", ["home", "variable"])
def test_a_token_of_the_user_is_taken_if_nobody_else_can_read_it(tmp_path, mode, taken, where):
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text("0" * 64)
    file.chmod(mode)
    code = (
        "from sweeper.backends.ray import environment as e; e.set_environment(); e.set_local_token(); import os; "
        "print(os.environ.get('RAY_AUTH_TOKEN_PATH', 'that of the home'))"
    )
    environment = {"HOME": str(tmp_path)} if where == "home" else {"RAY_AUTH_TOKEN_PATH": str(file)}
    root = str(Path(__file__).parents[4])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": root, "HOME": "/nowhere"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    mine = "that of the home" if where == "home" else str(file)
    assert (done.stdout.strip() == mine) == taken
    assert stat.S_IMODE(file.stat().st_mode) == mode
    assert file.read_text() == "0" * 64


ENVIRONMENTS = {
    "long-folder-for-temporary-files": {"TMPDIR": "{here}/" + "slurm_jobdir" * 8},
    "home-is-no-folder": {"HOME": "/dev/null"},
    "home-is-not-there": {"HOME": "/nowhere"},
    "home-is-the-root": {"HOME": "/proc"},
    "temporary-files-nowhere": {"TMPDIR": "/nowhere"},
}


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_ray_and_mlflow_start_in_such_an_environment(tmp_path, environment):
    environment = {name: value.format(here=tmp_path) for name, value in environment.items()}
    if environment.get("TMPDIR", "").startswith(str(tmp_path)):
        Path(environment["TMPDIR"]).mkdir()
    sweep = Sweep(tmp_path / "runs")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert sweep.finish("--tracking-uri", uri, **environment) == 0, sweep.stderr
    assert "warning" not in sweep.stderr
    assert len(read_ends(sweep.directory)) == 8


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user id")
@pytest.mark.parametrize("home", [None, "/"])
def test_ray_and_mlflow_start_for_a_user_that_the_system_does_not_know(short, home):
    (short / "small.yaml").write_text(SMALL)
    (short / "runs").mkdir(mode=0o777)
    os.chown(short / "runs", 54321, 54321)
    unknown = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    # The interpreter may lie in root's home, which this user could not read.
    unknown += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    command = [*unknown, sys.executable, "-m", "sweeper", "run", "small.yaml", "--out", "runs"]
    environment = {k: v for k, v in os.environ.items() if k not in {"HOME", "USER", "LOGNAME"}}
    environment |= {"HOME": home} if home else {}
    done = subprocess.run(command, cwd=short, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    assert (short / "runs" / "mlflow.db").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sweeper", "results", "trainables", "search_spaces", "random"])
def test_a_file_of_the_name_of_a_package_hides_no_package_in_a_worker(tmp_path, name):
    """A file of the name of a standard module neither."""
    (tmp_path / f"{name}.py").write_text("raise RuntimeError('this is not the package')")
    (tmp_path / "small.yaml").write_text(SMALL)
    program = [sys.executable, "-c", "import sys; sys.path.remove(''); from sweeper.cli.app import main; main()"]
    command = [*program, "run", "small.yaml", "--tracking-uri", "none"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[4])}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert "6 completed" in done.stdout


BLOCKED = "import sys\nif any('default_worker.py' in word for word in sys.orig_argv):\n    {}\n"
BLOCKS = {
    "no-package": ("sys.modules['sweeper'] = None", "ModuleNotFoundError: No module named 'sweeper"),
    "no-torch": ("sys.modules['torch'] = None", "ModuleNotFoundError: import of torch halted"),
    "no-numpy": ("sys.modules['numpy'] = None", "ImportError: Can't import ray.tune as some dependencies"),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("changes", [(), ("resources.pack=1",)], ids=["few", "many"])
@pytest.mark.parametrize(("block", "cause"), BLOCKS.values(), ids=BLOCKS)
def test_workers_that_cannot_start_end_the_run_with_the_cause(tmp_path, block, cause, changes):
    (tmp_path / "sitecustomize.py").write_text(BLOCKED.format(block))
    sweep = Sweep(tmp_path / "runs", *changes)
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[4])])
    assert sweep.finish(timeout=200, PYTHONPATH=path) == 1, sweep.stderr
    causes = set(given_up(sweep.directory).values())
    assert len(given_up(sweep.directory)) == len(sweep.packs())
    assert len(causes) == 1
    assert causes.pop().startswith(f"no worker starts: {cause}")
    assert "8 failed" in (sweep.streams / "stdout").read_text()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["gcs_server", "raylet"])
def test_a_part_of_ray_that_dies_while_ray_starts_costs_one_paragraph(tmp_path, name):
    sweep = Sweep(tmp_path / "runs")
    process = subprocess.Popen(sweep.command(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        while (part := ray_process(process.pid, name)) is None:
            assert process.poll() is None
            time.sleep(0.002)
        os.kill(part, signal.SIGKILL)
        said = process.communicate(timeout=200)[1]
    finally:
        kill_all(process)
    assert process.returncode == 2
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: Ray does not start on this machine (")
    assert len(said) < 1500


@pytest.mark.slow
def test_signals_of_the_user_reach_python_whenever_ray_has_stopped_or_started():
    code = """
import os, signal, time
from sweeper.backends.ray.backend import RayBackend
seen = []
signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
backend = RayBackend()
for change in (lambda: None, backend.close, backend._start, backend.close):
    change()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
print(len(seen))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr
