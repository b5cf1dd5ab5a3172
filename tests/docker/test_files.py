"""The files of docker/ without running them: linted, of the right form, and as docs/cluster.md promises."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from docker_support import DOCKER, ROOT, substituted

SCRIPTS = sorted(DOCKER.glob("*.sh"))


def program(name):
    """A linter that is installed beside this Python, or anywhere."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    return found or pytest.skip(f"{name} is not installed")


def test_hadolint_has_nothing_to_say():
    done = subprocess.run([program("hadolint"), DOCKER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script):
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    done = subprocess.run([program("shellcheck"), script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert os.access(script, os.X_OK)


class TestDockerfile:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")

    def stage(self, name):
        (found,) = re.findall(rf"^FROM \S+ AS {name}\n((?:(?!FROM ).*\n)*)", self.text, re.MULTILINE)
        return found

    def test_the_base_is_pinned_and_is_the_only_one(self):
        (base,) = re.findall(r"^ARG BASE=(\S+)$", self.text, re.MULTILINE)
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base)
        stages = set(re.findall(r" AS (\w[\w-]*)$", self.text, re.MULTILINE))
        assert set(re.findall(r"^FROM (\S+)", self.text, re.MULTILINE)) <= {"${BASE}", *stages}

    @pytest.mark.parametrize("target", ["cpu", "cuda", "mlflow"])
    def test_images_run_as_a_user_without_rights(self, target):
        stage = self.stage(target)
        last = re.findall(r"^USER (\S+)$", self.stage("ray") + stage if "ray AS" in self.text else stage, re.MULTILINE)
        assert last[-1] == "10001:10001"

    def test_every_installation_is_pinned(self):
        for line in re.findall(r"^RUN pip install .*$", self.text, re.MULTILINE):
            assert "-c constraints.txt" in line or "--no-deps ." in line

    def test_a_build_sees_no_secrets_and_no_data(self):
        lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
        assert "*" in lines
        kept = {line[1:] for line in lines if line.startswith("!")}
        packages = ("results", "search_spaces", "sweeper", "trainables")
        assert kept == {"constraints.txt", "grids", "LICENSE", "pyproject.toml", "README.md", *packages}


class TestCompose:
    def test_it_is_a_compose_file(self, compose):
        """Against the types of the Compose specification."""
        compose_spec = pytest.importorskip("compose_spec")
        for name in ("compose.yaml", "compose.gpu.yaml"):
            content = yaml.safe_load(substituted((DOCKER / name).read_text(encoding="utf-8")))
            compose_spec.PyCompose.from_json(json.dumps(content))
            content["services"]["worker"]["imagge"] = "sweeper:cpu"
            with pytest.raises(ValueError, match="imagge"):
                compose_spec.PyCompose.from_json(json.dumps(content))

    def test_ports_are_published_on_loopback_only(self, compose):
        ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
        assert len(ports) == 3
        assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)

    def test_images_are_ours_or_pinned(self, compose):
        for service in compose["services"].values():
            ours = service["image"].startswith("sweeper:")
            assert ours == ("build" in service)
            assert ours or re.search(r":\d+\.\d+", service["image"])

    def test_every_service_is_checked_limited_and_restarted(self, compose):
        for name, service in compose["services"].items():
            once = name == "buckets"
            assert ("healthcheck" in service) != once
            assert service["restart"] == ("no" if once else "unless-stopped")
            assert once or service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
            assert "no-new-privileges:true" in service["security_opt"]
            if service["image"].startswith("sweeper:"):
                assert service["cap_drop"] == ["ALL"]
                assert service["init"] is True

    def test_what_is_waited_for_can_come(self, compose):
        for service in compose["services"].values():
            for other, how in service.get("depends_on", {}).items():
                needed = compose["services"][other]
                wanted = "service_healthy" if "healthcheck" in needed else "service_completed_successfully"
                assert how == {"condition": wanted}

    def test_only_mlflow_reaches_the_database(self, compose):
        assert compose["networks"]["database"] == {"internal": True}
        users = {name for name, service in compose["services"].items() if "database" in service.get("networks", ())}
        assert users == {"postgres", "mlflow"}
        assert compose["services"]["postgres"]["networks"] == ["database"]

    def test_secrets_are_files_that_the_script_makes(self, compose, tmp_path):
        subprocess.run([DOCKER / "make-secrets.sh", tmp_path / "secrets"], check=True, capture_output=True)
        made = {f"secrets/{path.name}" for path in (tmp_path / "secrets").iterdir()}
        declared = {name: secret["file"] for name, secret in compose["secrets"].items()}
        assert set(declared.values()) <= made
        granted = {name for service in compose["services"].values() for name in service.get("secrets", ())}
        assert granted == declared.keys()
        for service in compose["services"].values():
            named = re.findall(r"/run/secrets/([\w.]+)", json.dumps(service))
            assert set(named) == set(service.get("secrets", ()))
            told = json.dumps(service.get("environment", {}))
            assert not re.search(r'(?i)"[^"]*(password|secret|token|key)[^"]*": "(?!/run/secrets/|token")', told)

    def test_with_gpus_one_worker_has_them_all(self, compose):
        over = yaml.safe_load((DOCKER / "compose.gpu.yaml").read_text(encoding="utf-8"))["services"]
        assert over.keys() <= compose["services"].keys()
        (device,) = over["worker"]["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
        assert over["worker"]["deploy"]["replicas"] == 1


class TestSecrets:
    def make(self, folder):
        return subprocess.run([DOCKER / "make-secrets.sh", folder], check=True, capture_output=True, text=True).stdout

    def test_they_are_random_closed_and_never_replaced(self, tmp_path):
        one, two = tmp_path / "one", tmp_path / "two"
        assert len(self.make(one).splitlines()) == len(list(one.iterdir()))
        self.make(two)
        assert stat.S_IMODE(one.stat().st_mode) == 0o700
        before = {path.name: path.read_text() for path in one.iterdir()}
        assert all((two / name).read_text() != text for name, text in before.items())
        assert re.fullmatch(r"[0-9a-f]{64}", before["ray_token"])
        assert self.make(one) == ""
        assert {path.name: path.read_text() for path in one.iterdir()} == before

    def test_server_and_clients_get_the_same_keys(self, tmp_path):
        self.make(tmp_path)
        (identity,) = json.loads((tmp_path / "s3.json").read_text())["identities"]
        (pair,) = identity["credentials"]
        client = dict(re.findall(r"^(\w+) = (\S+)$", (tmp_path / "aws_credentials").read_text(), re.MULTILINE))
        assert client == {"aws_access_key_id": pair["accessKey"], "aws_secret_access_key": pair["secretKey"]}
        password = (tmp_path / "postgres_password").read_text()
        assert f"password={password}" in (tmp_path / "pg_service.conf").read_text().splitlines()

    def test_git_ignores_them(self):
        lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
        assert "/docker/secrets/" in lines


# The keys that kuberay.yaml uses, from the API reference of KubeRay 1.6 (ray.io/v1) and that of Kubernetes 1.31; a key
# that is in neither would be dropped without a word.
_PROBE = {"httpGet": {"path": str, "port": int}} | dict.fromkeys(
    ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold"), int
)
_POD = {
    "spec": {
        "automountServiceAccountToken": bool,
        "securityContext": {
            "runAsNonRoot": bool,
            "runAsUser": int,
            "runAsGroup": int,
            "fsGroup": int,
            "seccompProfile": {"type": str},
        },
        "containers": [
            {
                "name": str,
                "image": str,
                "imagePullPolicy": str,
                "envFrom": [{"secretRef": {"name": str, "optional": bool}}],
                "ports": [{"name": str, "containerPort": int}],
                "securityContext": {"allowPrivilegeEscalation": bool, "capabilities": {"drop": [str]}},
                "readinessProbe": _PROBE,
                "livenessProbe": _PROBE,
                "resources": dict.fromkeys(
                    ("requests", "limits"), dict.fromkeys(("cpu", "memory", "nvidia.com/gpu"), str)
                ),
                "volumeMounts": [{"name": str, "mountPath": str}],
            }
        ],
        "volumes": [{"name": str, "emptyDir": {"medium": str, "sizeLimit": str}}],
    }
}
_START = dict.fromkeys(("num-cpus", "num-gpus", "dashboard-host", "object-store-memory"), str)
_CLUSTER = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    "spec": {
        "rayVersion": str,
        "authOptions": {"mode": str},
        "headGroupSpec": {"serviceType": str, "rayStartParams": _START, "template": _POD},
        "workerGroupSpecs": [
            {
                "groupName": str,
                "replicas": int,
                "minReplicas": int,
                "maxReplicas": int,
                "rayStartParams": _START,
                "template": _POD,
            }
        ],
    },
}


def strangers(value, schema, where=""):
    """Keys that the schema has not, and values of another type."""
    if isinstance(schema, list):
        return [s for n, item in enumerate(value) for s in strangers(item, schema[0], f"{where}[{n}]")]
    if isinstance(schema, dict):
        unknown = [f"{where}.{key}" for key in value if key not in schema]
        known = [s for key in value if key in schema for s in strangers(value[key], schema[key], f"{where}.{key}")]
        return unknown + known
    return [] if type(value) is schema else [where]


class TestKubeRay:
    cluster, policy = yaml.safe_load_all((DOCKER / "kuberay.yaml").read_text(encoding="utf-8"))

    def pods(self):
        spec = self.cluster["spec"]
        return [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]

    def test_its_keys_are_those_of_the_interface(self):
        assert strangers(self.cluster, _CLUSTER) == []
        assert strangers({"metadata": {"nam": "x"}, "kind": 1}, _CLUSTER) == [".metadata.nam", ".kind"]
        assert (self.cluster["apiVersion"], self.cluster["kind"]) == ("ray.io/v1", "RayCluster")

    def test_ray_is_the_one_that_is_pinned(self):
        pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
        assert self.cluster["spec"]["rayVersion"] == pinned[1]

    def test_pods_have_no_rights_and_are_asked_for_their_health(self):
        for pod in self.pods():
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["automountServiceAccountToken"] is False
            (container,) = pod["containers"]
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"readinessProbe", "livenessProbe", "resources"} <= container.keys()
            assert {mount["name"] for mount in container["volumeMounts"]} == {
                volume["name"] for volume in pod["volumes"]
            }

    def test_the_cluster_is_closed_to_others_and_asks_for_a_token(self):
        assert self.cluster["spec"]["authOptions"] == {"mode": "token"}
        ours = {"podSelector": {"matchLabels": {"ray.io/cluster": self.cluster["metadata"]["name"]}}}
        assert self.policy["spec"] == {**ours, "policyTypes": ["Ingress"], "ingress": [{"from": [ours]}]}

    def test_workers_are_scaled_within_limits(self):
        (group,) = self.cluster["spec"]["workerGroupSpecs"]
        assert 1 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert "nvidia.com/gpu" in group["template"]["spec"]["containers"][0]["resources"]["limits"]


def test_slurm_says_how_it_is_used(tmp_path):
    told = subprocess.run(
        ["bash", DOCKER / "slurm.sh"],
        env={**os.environ, "SLURM_SUBMIT_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2
    assert "usage: sbatch" in told.stderr
