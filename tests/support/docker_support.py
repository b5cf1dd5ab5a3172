"""The files of docker/, as their readers see them."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCKER = ROOT / "docker"


def substituted(text, **settings):
    """Compose's ``${NAME:-default}`` with settings in place of the environment."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: settings.get(found[1], found[2]), text)


def image_environment(target):
    """What the ENV lines of the Dockerfile say in the stages that ``target`` is made of."""
    stages, name = {}, ""
    for line in (DOCKER / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if stage := re.match(r"FROM (\S+) AS (\w+)", line):
            base, name = stage.groups()
            stages[name] = dict(stages.get(base, {}))
        elif line.startswith("ENV ") and name:
            stages[name] |= dict(pair.split("=", 1) for pair in line.split()[1:])
    return {key: value for key, value in stages[target].items() if key != "PATH"}
