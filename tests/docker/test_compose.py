"""compose.yaml without containers: every service's own command, environment and secrets, each on a host of its own.

Two images cannot be had here. PostgreSQL's is this machine's PostgreSQL, made ready as that image's entrypoint does; in
place of SeaweedFS answers moto's S3 server, under the same name and port.
"""

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docker_support import DOCKER, image_environment
from hosts_support import hosts, wait_until, why_not
from tests_support import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900)]

PATIENCE = 240.0  # seconds until a service is healthy, on a machine that does other things as well


class Stack:
    """The services of a compose file on hosts."""

    def __init__(self, compose, network, folder, environment):
        self._compose, self.hosts, self._folder, self._environment = compose, network, folder, environment
        (folder / "sweeps").mkdir()
        subprocess.run([DOCKER / "make-secrets.sh", folder / "secrets"], check=True, stdout=subprocess.DEVNULL)

    def service(self, host):
        return self._compose["services"][host.partition("-")[0]]

    def environment(self, host):
        service = self.service(host)
        target = service["image"].removeprefix("sweeper:")
        ours = image_environment(target) if target != service["image"] else {}
        return {**self._environment, **ours, **service.get("environment", {})}

    def mounts(self, host):
        """The secrets of a service and no others; and the sweeps, where it has them."""
        granted = self._folder / f"secrets-of-{host}"
        granted.mkdir()
        for name in self.service(host).get("secrets", ()):
            shutil.copy(self._folder / self._compose["secrets"][name]["file"], granted)
        volumes = (
            {"/sweeps": self._folder / "sweeps"} if "sweeps:/sweeps" in self.service(host).get("volumes", ()) else {}
        )
        return {"/run/secrets": granted, **volumes}

    def start(self, host, command=None):
        self.hosts.start(host, command or self.service(host)["command"], self.environment(host), self.mounts(host))

    def execute(self, host, *command, **environment):
        return self.hosts.execute(host, command, self.environment(host) | environment)

    def wait_until_healthy(self, host):
        """Until the health check of the compose file says so, run as ``docker`` runs it."""
        kind, *command = self.service(host)["healthcheck"]["test"]
        assert kind == "CMD"
        self._until_done(host, *command)

    def start_postgres(self):
        """PostgreSQL refuses to run as root. Its image makes a user, a database, and lets others in by password."""
        names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
        user = names.get("postgres", names["nobody"])
        (data := self._folder / "database").mkdir()
        os.chown(data, user, user)
        mounts = self.mounts("postgres") | {"/database": data}
        environment = self.environment("postgres") | {"PGDATA": "/database/data"}
        initdb = ["initdb", f"--username={environment['POSTGRES_USER']}", "--auth-local=trust", "--no-sync"]
        initdb += ["--auth-host=scram-sha-256", f"--pwfile={environment['POSTGRES_PASSWORD_FILE']}"]
        subprocess.run(
            self.hosts.command("postgres", initdb, mounts, user), env=environment, check=True, stdout=subprocess.DEVNULL
        )
        with (data / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")
        with (data / "data" / "postgresql.conf").open("a") as settings:
            settings.write("listen_addresses = '*'\nunix_socket_directories = '/database'\n")
        command = self.service("postgres")["command"]
        self.hosts.start("postgres", command, environment, mounts, user)
        self._until_done("postgres", "createdb", "--host=/database", "--username=mlflow", "mlflow")

    def start_s3(self):
        self.start("s3", [sys.executable, "-m", "moto.server", "--host=0.0.0.0", "--port=8333"])
        looking = "import socket; socket.create_connection(('127.0.0.1', 8333), 1)"
        self._until_done("s3", sys.executable, "-c", looking)

    def _until_done(self, host, *command):
        wait_until(
            lambda: self.execute(host, *command).returncode == 0,
            PATIENCE,
            self.hosts.log(host).read_text,
            self.hosts.processes[host],
        )


@pytest.fixture(scope="module")
def stack(compose, environment, ray_jobs, tmp_path_factory):
    """All services of the compose file, healthy, in the order that it asks for."""
    pytest.importorskip("moto.server", reason="moto[server] is not installed")
    pytest.importorskip("psycopg2", reason="psycopg2-binary is not installed")
    if reason := why_not():
        pytest.skip(reason)
    if shutil.which("initdb") is None or shutil.which("postgres") is None:
        pytest.skip("PostgreSQL's initdb and postgres are not on PATH")
    folder = tmp_path_factory.mktemp("compose")
    with hosts(folder, "postgres", "s3", "buckets", "mlflow", "head", "worker-1", "worker-2") as network:
        stack = Stack(compose, network, folder, environment)
        stack.start_postgres()
        stack.start_s3()
        stack.start("buckets")
        assert network.processes.pop("buckets").wait(PATIENCE) == 0, network.log("buckets").read_text()
        stack.wait_until_healthy("postgres")
        stack.start("mlflow")
        stack.wait_until_healthy("mlflow")
        stack.start("head")
        stack.wait_until_healthy("head")
        for worker in ("worker-1", "worker-2"):
            stack.start(worker)
        for worker in ("worker-1", "worker-2"):
            stack.wait_until_healthy(worker)
        (folder / "sweeps" / "small.yaml").write_text(SMALL)
        yield stack


def get(stack, host, url, **headers):
    """Status and text of a page, asked for on a host."""
    program = (
        "import sys, urllib.request, urllib.error, json\n"
        "request = urllib.request.Request(sys.argv[1], headers=json.loads(sys.argv[2]))\n"
        "try: reply = urllib.request.urlopen(request, timeout=30)\n"
        "except urllib.error.HTTPError as error: reply = error\n"
        "print(json.dumps([reply.status, reply.read().decode()]))"
    )
    asked = stack.execute(host, sys.executable, "-c", program, url, json.dumps(headers))
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout)


def test_a_sweep_joins_the_cluster_and_is_seen_in_mlflow(stack):
    arguments = ["/sweeps/small.yaml", "--out=/sweeps/runs", "--address=auto", "--tracking-uri=http://mlflow:5000"]
    ran = stack.execute("head", sys.executable, "-m", "sweeper", "run", *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr + stack.hosts.log("head").read_text()
    assert "6 completed" in ran.stdout
    # Rows come from the workers: the head holds no packs.
    found = stack.execute("worker-1", sys.executable, "-m", "sweeper", "status", "/sweeps/runs/small", "--json")
    assert json.loads(found.stdout)["outcomes"]["completed"] == 6
    # Parent run and points lie in PostgreSQL, report and figures in the bucket.
    counting = "import psycopg2; cursor = psycopg2.connect(service='mlflow').cursor(); "
    counting += 'cursor.execute("select count(*) from runs"); print(cursor.fetchone()[0])'
    assert stack.execute("mlflow", sys.executable, "-c", counting).stdout.strip() == "7"
    listing = "import boto3; print(*[o['Key'] for o in "
    listing += "boto3.client('s3').list_objects_v2(Bucket='mlflow')['Contents']])"
    listed = stack.execute("mlflow", sys.executable, "-c", listing)
    assert "report.html" in listed.stdout, listed.stderr


def test_a_sweep_is_submitted_from_outside_and_goes_on_without_its_terminal(stack):
    """By Ray's own command, from a host that is no node of the cluster; the driver runs on the head."""
    command = ["sweeper", "run", "/sweeps/small.yaml", "--name", "sent", "--out", "/sweeps/runs", "--address", "auto"]
    submit = [sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--address=http://head:8265"]
    token = (stack.hosts.folder / "secrets" / "ray_token").read_text()
    sent = stack.execute(
        "mlflow",
        *submit,
        "--",
        sys.executable,
        "-m",
        *command,
        "--tracking-uri=none",
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=token,
    )
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert "6 completed" in sent.stdout


def test_a_sweep_is_submitted_to_the_object_store_and_followed_from_outside(stack):
    """As docs/cluster.md has it, with the token and the keys of this terminal in place of the ports on loopback."""
    pytest.importorskip("sweeper.backends.ray.submit")
    token = {"RAY_AUTH_TOKEN": (stack.hosts.folder / "secrets" / "ray_token").read_text()}
    sweeper = [sys.executable, "-m", "sweeper"]
    grid = str(stack.hosts.folder / "sweeps" / "small.yaml")
    sent = stack.execute(
        "mlflow", *sweeper, "submit", grid, "--address=http://head:8265", "--out=s3://sweeps/runs", **token
    )
    assert sent.returncode == 0, sent.stdout + sent.stderr
    watched = stack.execute("mlflow", *sweeper, "watch", "s3://sweeps/runs/small")
    assert watched.returncode == 0, watched.stdout + watched.stderr
    found = stack.execute("mlflow", *sweeper, "status", "s3://sweeps/runs/small", "--json")
    assert json.loads(found.stdout)["outcomes"]["completed"] == 6


def test_server_and_clients_of_the_object_store_share_keys(stack):
    asking = "import boto3; print(boto3.Session().get_credentials().access_key)"
    (identity,) = json.loads((stack.hosts.folder / "secrets" / "s3.json").read_text())["identities"]
    for host in ("head", "worker-1", "mlflow"):
        asked = stack.execute(host, sys.executable, "-c", asking)
        assert asked.stdout.strip() == identity["credentials"][0]["accessKey"], asked.stderr


def test_nothing_but_health_is_told_without_the_token(stack):
    token = (stack.hosts.folder / "secrets" / "ray_token").read_text()
    for page in ("api/version", "api/jobs/", "nodes?view=summary", "api/cluster_status"):  # "/" is the empty frame
        assert get(stack, "mlflow", f"http://head:8265/{page}")[0] == 401
    assert get(stack, "mlflow", "http://head:8265/api/gcs_healthz")[0] == 200
    assert get(stack, "mlflow", "http://head:8265/api/version", Authorization=f"Bearer {token}")[0] == 200
    asking = [sys.executable, "-m", "ray.scripts.scripts", "status", "--address=head:6379"]
    assert stack.execute("worker-1", *asking).returncode == 0
    assert stack.execute("worker-1", *asking, RAY_AUTH_TOKEN="another").returncode != 0


def test_mlflow_answers_to_its_own_names_only(stack):
    """A page of another site that got its name resolved to this address would be refused (DNS rebinding)."""
    assert get(stack, "worker-1", "http://mlflow:5000/api/2.0/mlflow/experiments/get?experiment_id=0")[0] == 200
    page = "http://mlflow:5000/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert get(stack, "worker-1", page, Host="evil.example")[0] == 403


def test_no_password_stands_in_an_environment_or_a_command_line(stack):
    folder = Path(stack.hosts.folder)
    secrets = [(folder / "secrets" / name).read_text() for name in ("ray_token", "postgres_password", "s3_secret")]
    for host in stack.hosts.processes:
        for told in ("cmdline", "environ"):
            said = Path(f"/proc/{stack.hosts.first(host)}/{told}").read_bytes().decode()
            assert not any(secret in said for secret in secrets), (host, told)
