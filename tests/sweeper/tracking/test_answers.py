"""Servers that answer as no MLflow does: how long a command waits, how much it reads, and what it shows of them."""

import os
import resource
import subprocess
import sys
import time
from urllib.parse import quote

import pytest
from hostile_support import drip, echo, flood, pages_without_end, refusal, respond, serving, silence
from tests_support import SMALL
from tracking_support import add, begin

from results.store.sweep_dir import SweepDir
from sweeper.tracking import patience
from sweeper.tracking.mirror import Mirror, TrackingError

SECRET = "hunter2-S3CR3T"
ELSEWHERE = f"http://localhost:9/x?token={SECRET}"


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "RETRY_SECONDS", ())
    directory = begin(SweepDir(tmp_path / "digits"))
    add(directory, ["a"], n=20)
    return directory


def failure(sweep, answer) -> str:
    """What is said of a server that answers so, at an address with secrets."""
    with serving(answer) as port:
        uri = f"http://me:{SECRET}@127.0.0.1:{port}?token={SECRET}"
        with pytest.raises(TrackingError) as caught:
            Mirror(sweep, uri).finish_in_time(print)
    assert SECRET not in str(caught.value)
    return str(caught.value)


QUICK = {
    "429": (respond("429 Too Many Requests", "wait", Retry_After="3600"), "429"),
    "503": (respond("503 Service Unavailable", "", Retry_After="100000"), "503"),
    "500-without-end": (flood("200 OK"), "more than 64,000,000 bytes"),
    "headers-without-end": (flood("200 OK", b"X" * 1000), "more than 64,000,000 bytes"),
    "another-host": (respond("302 Found", Location=ELSEWHERE), r"redirects: http://localhost:9/x?token=***"),
    "another-host-by-307": (respond("307 x", Location="//evil.example/x"), "redirects: http://evil.example/x"),
    "itself": (respond("301 x", Location="/again"), "redirects"),
    "pages": (pages_without_end, "has no end"),
    "html": (respond("200 OK", "<html>" + "1" * 200_000), "not in a valid JSON format"),
    "long": (refusal("x" * 100_000), "xxx"),
    "closed": (lambda connection, request: connection.close(), "Connection aborted"),
    "echo": (echo, "you sent GET"),
}


@pytest.mark.parametrize(("answer", "said"), QUICK.values(), ids=QUICK)
def test_a_hostile_server_costs_one_error_of_bounded_length(sweep, answer, said):
    text = failure(sweep, answer)
    assert said in text
    assert len(text) < 1200


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J\x1b]0;pwned\x07ok", "\x9b31mok", "o\x00\x08k", "\u202eok", "\x1b]8;;http://x\x1b\\ok", "\x1b[6nok"],
)
def test_what_a_terminal_would_obey_is_not_shown(sweep, text):
    said = failure(sweep, refusal(text))
    assert said.isprintable()
    assert "ok" in said
    assert "pwned" not in said


@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD"])
def test_a_secret_of_the_environment_that_a_server_repeats_is_not_shown(sweep, monkeypatch, variable):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv(variable, "tok3n-of-mine")
    with (
        serving(
            lambda connection, request: refusal(f"{request.split('Authorization: ')[1][:80]}")(connection, "")
        ) as port,
        pytest.raises(TrackingError) as caught,
    ):
        Mirror(sweep, f"http://127.0.0.1:{port}").finish_in_time(print)
    assert "***" in str(caught.value)
    assert "tok3n" not in str(caught.value)
    assert "bWU6dG9rM24tb2YtbWluZQ" not in str(caught.value)  # base64 of me:tok3n-of-mine


@pytest.mark.parametrize("form", ["upper", "split", "percent", "json"])
def test_a_secret_in_another_form_is_not_shown(sweep, form):
    secret = 'p"a ss/wörd+1'
    encoded = quote(secret, safe="")
    shown = {"upper": encoded, "split": "\x1b[0m".join(secret), "percent": quote(secret), "json": secret}[form]
    with serving(refusal(f"no: {shown} is wrong")) as port, pytest.raises(TrackingError) as caught:
        Mirror(sweep, f"http://me:{encoded}@127.0.0.1:{port}").finish_in_time(print)
    assert "no: *** is wrong" in str(caught.value)


SLOW = {
    "silent": silence,
    "dripping": drip(),
    "dripping-headers": drip("HTTP/1.1 200 OK\r\nX-A: "),
    "dripping-chunks": drip("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n"),
    "dripping-refusal": drip("HTTP/1.1 503 x\r\nContent-Length: 100000\r\n\r\n"),
}


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_a_server_that_never_comes_to_an_end_is_left_and_the_screen_says_so(sweep, answer, monkeypatch):
    monkeypatch.setattr("sweeper.tracking.mirror.SERVER_SECONDS", 1.5)
    monkeypatch.setattr(patience, "SAY_SECONDS", 0.5)
    said = []
    with serving(answer) as port, pytest.raises(TrackingError, match="has not taken everything after 2 s"):
        Mirror(sweep, f"http://me:{SECRET}@127.0.0.1:{port}").finish_in_time(said.append)
    assert len(said) == 1
    assert "which has 1.5 s" in said[0]
    assert SECRET not in said[0]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("answer", [*SLOW.values(), flood("503 x"), QUICK["503"][0]], ids=[*SLOW, "flood", "503"])
def test_a_run_ends_with_its_results_whatever_its_tracker_does(tmp_path, answer):
    (tmp_path / "small.yaml").write_text(SMALL)
    command = [sys.executable, "-m", "sweeper", "run", "small.yaml", "--backend", "inprocess", "--tracking-uri"]
    with serving(answer) as port:
        done = subprocess.run(
            [*command, f"http://me:{SECRET}@127.0.0.1:{port}"],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0
    assert "warning: MLflow at http://me:***@127.0.0.1" in done.stderr
    assert "6 completed" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2_000_000  # KB


def test_work_that_makes_steps_has_more_time(monkeypatch):
    monkeypatch.setattr(patience, "SAY_SECONDS", 100.0)
    steps = []

    def work():
        for _ in range(4):
            time.sleep(0.3)
            steps.append(1)
        return "done"

    assert patience.in_time(work, 0.5, lambda: len(steps), print) == "done"


def test_an_error_of_the_work_is_raised():
    with pytest.raises(KeyError, match="x"):
        patience.in_time(lambda: {}["x"], 5.0, lambda: 0, print)
