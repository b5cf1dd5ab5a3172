"""Who runs a sweep, and the command that stops that run."""

import json
import os
import socket
from pathlib import Path

import pytest

from sweeper.lock.holder import Holder, current_holder, in_use_error

RAY_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"


def test_a_process_of_this_machine_is_interrupted(monkeypatch):
    monkeypatch.delenv(RAY_JOB_VARIABLE, raising=False)
    me = current_holder()
    assert str(me).startswith(f"process {os.getpid()} on {socket.gethostname()} since 20")
    assert me.stop == f"kill -INT {os.getpid()}"


def test_one_of_another_machine_is_interrupted_there():
    assert Holder(host="elsewhere", pid=7, since="then").stop == "kill -INT 7 there"


def test_a_job_of_ray_is_stopped_by_ray(monkeypatch):
    monkeypatch.setenv(
        RAY_JOB_VARIABLE,
        json.dumps({"metadata": {"job_submission_id": "sweeper-digits-0a1b2c", "dashboard": "http://h:8265"}}),
    )
    me = current_holder()
    assert " (Ray job sweeper-digits-0a1b2c) since " in str(me)
    assert "stop it (ray job stop --address http://h:8265 sweeper-digits-0a1b2c), or" in str(
        in_use_error(Path("/runs/digits"), me)
    )


@pytest.mark.parametrize("said", ["", "{", "[]", "7", '{"metadata": null}', '{"metadata": {}}'])
def test_whatever_else_ray_says_of_jobs_is_passed_over(monkeypatch, said):
    monkeypatch.setenv(RAY_JOB_VARIABLE, said)
    assert current_holder().job == ""


def test_what_others_have_written_cannot_steer_a_terminal():
    said = Holder(host="\x1b[2J", pid=7, since="\x07", job="\x1b[31m")
    assert not [character for character in f"{said} {said.stop}" if ord(character) < 32]
