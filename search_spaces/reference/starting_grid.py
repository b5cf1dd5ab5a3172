"""A grid to start one's own from: the text of another, with a comment at each section."""

import re

SCHEMA_FILE = "grid.schema.json"
# Of each key of a grid: what it decides, and what one may write where the grid leaves it out.
_KEYS = {
    "name": ("the sweep's folder, and its name in MLflow", ""),
    "trainable": ("the object of training: model, data, loss, initialization, batch; or a function of your own", ""),
    "optimizer": ("sgd, adamw or adam; mu is the momentum of sgd", "{name: sgd, mu: 0.9}"),
    "schedule": ("the change of eta along a run", "{name: cosine, warmup: 0.05}"),
    "l2": ("the meaning of lam; by default torch's weight_decay", "{convention: half, parameters: matrices}"),
    "axes": ("each combination of values is a point, one network to train; mu or model.width can be axes too", ""),
    "budget": ("epochs of each point: the same for all (fixed), constant/lam, or constant/(eta lam)", ""),
    "stop": ("budget trains each point for its budget, peaked until its maximum is certain", "peaked"),
    "metric": ("the quantity that points are judged by: test_acc, or test_loss", "{name: test_loss}"),
    "measure": ("measured steps: so many a decade of steps, or every epoch", "{log: 60}"),
    "analysis": ("budgets in epochs at which the best lam is asked for", "{budgets: [100, 1000]}"),
    "resources": ("CPUs and GPUs of a pack, the points that train together", "{cpus_per_pack: 1, gpus_per_pack: 1}"),
    "recovery": ("how often work is committed, and how often a pack is tried again", "{commit_seconds: 30}"),
    "keep_weights": ("whether the weights of trained points are kept", "true"),
}
_HEAD = """\
# yaml-language-server: $schema={schema}
# Made from {source}. Its every key can be replaced here, or in a command: --set axes.seed=[0,1,2]
# sweeper plan {file}   shows points and cost; nothing runs
# sweeper run {file}    trains them; run again, it continues
"""
_TOP_KEY = re.compile(r"(?P<key>\w+):")


def starting_grid(text: str, name: str, source: str, file: str) -> str:
    """Return the text of a grid with another name, a comment above each section, and the sections that it leaves out.

    Those are comments. The comment at the top of ``text``, which tells what that grid costs and found, is left away.

    Args:
        text: the grid to start from.
        name: name of the new sweep.
        source: where ``text`` is from, for the comment at the top.
        file: name of the new file, for the commands at the top.
    """
    lines, seen = [_HEAD.format(schema=SCHEMA_FILE, source=source, file=file).rstrip()], set()
    body = re.sub(r"\A(?:#.*\n|\s*\n)*", "", text)
    for line in body.splitlines():
        top = _TOP_KEY.match(line)
        if top and top["key"] in _KEYS:
            seen.add(top["key"])
            lines.append(f"\n# {_KEYS[top['key']][0]}")
        lines.append(f"name: {name}" if top and top["key"] == "name" else line)
    left_out = {key: texts for key, texts in _KEYS.items() if key not in seen}
    lines.append("\n# Left out here, and so at their defaults; an example of each:")
    lines += [f"# {key}: {example}   # {comment}" for key, (comment, example) in left_out.items()]
    return "\n".join(lines) + "\n"
