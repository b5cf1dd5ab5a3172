"""The house keeps its own rules: sizes of rooms, files and functions, and what a public docstring says."""

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("search_spaces", "trainables", "results", "sweeper")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_MODULES, MOST_LINES, MOST_FUNCTION_LINES = 14, 350, 50
ENOUGH = 0.95  # of the public functions that are asked for a section have it
_ARRAYS = re.compile(r"\b(Tensor|Floats|Ints|Bools|NDArray|ndarray)\b")
_SHAPE = re.compile(
    r"\((?:[A-Za-z]\w*|\d+|…|\.\.\.)(?: ?[×,] ?(?:[A-Za-z]\w*|\d+|…|\.\.\.))*,?\)|scalar|shape|_[A-Z]+\b"
)


# Coined names whose place a usual one has taken. The README's glossary has the words that stayed.
DROPPED = (
    *("drop_doubles", "put_in_order", "parts_behind", "parts_by_pack", "restart_behind"),
    *("patiently", "AFRESH", "luggage", "try_out", "train_turn", "run_turns", "own_loss", "cluster_loss", "find_in"),
    *("settled_ends", "setup_of", "setting_of", "read_ledger", "earlier_plan", "missing_points", "drop_damaged_parts"),
    *("pulse_of", "note_too_many", "most_that_fit", "are_whole", "is_whole", "wait_for_it", "assist", "InOrder"),
)
MOST_WORDS_OF_GLOSSARY = 12
# Test files that are about more than one module or folder.
WITHOUT_A_MODULE = {
    "sweeper/test_frozen_runs.py": "runs and analyses that sleep while another one goes on",
    "sweeper/test_interrupted_repair.py": "repairs that are killed in the middle",
    "sweeper/test_doors.py": "every reader of a sweep directory, on files from outside",
    "sweeper/worker/test_hostile_code.py": "code of users that ends its process, or raises what cannot be printed",
    "trainables/admission/test_models.py": "the table of models and habits, from the trial to the loaded weights",
    "docker/test_compose.py": "clusters of docker/compose.yaml",
    "docker/test_files.py": "what the files of docker/ agree on",
    "docker/test_slurm.py": "docker/slurm.sh, with stand-ins for srun and scontrol",
    "results/store/test_protocol.py": "the commit protocol as a state machine: attempts, parts and checkpoints",
    "search_spaces/test_bad_grids.py": "the table of bad grids and their messages",
    "search_spaces/test_doctests.py": "the examples in docstrings",
    "search_spaces/test_fuzz.py": "texts that may break the reading of grids",
    "sweeper/test_faults.py": "whole runs whose processes, disks and files fail",
    "sweeper/test_faults_slow.py": "the same, for longer",
    "sweeper/test_object_store.py": "whole runs in an object store",
    "sweeper/test_untrusted.py": "every command on a sweep that somebody else has made",
    "sweeper/tracking/test_servers.py": "MLflow on PostgreSQL and behind a server",
    "test_documentation.py": "links and trees of the documents",
    "test_earlier_sweeps.py": "sweeps that earlier versions have made",
    "test_house.py": "this file",
    "test_own_code.py": "the examples of docs/own-model.md",
    "trainables/test_gpu.py": "training on a GPU beside training on a CPU",
}


def functions(tree):
    """Functions with whether they are public: neither private nor inside another function or a private class."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parent = parents[node]
            inside = isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef)
            private = isinstance(parent, ast.ClassDef) and parent.name.startswith("_")
            yield node, not (inside or private or node.name.startswith("_"))


def public():
    """Every public function: where it stands, its node, its docstring."""
    for path in SOURCES:
        for node, is_public in functions(ast.parse(path.read_text(encoding="utf-8"))):
            if is_public:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node, ast.get_docstring(node) or ""


def parameters(node):
    """Parameters, ``self`` and ``cls`` apart."""
    arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    return [argument for argument in arguments if argument.arg not in {"self", "cls"}]


def overrides(docstring):
    """Whether a docstring hands on to that of the protocol or base class."""
    return docstring.startswith("See ``")


def refuse(lacking, asked):
    """Fail with the places that lack something, if they are more than one in twenty."""
    assert len(lacking) <= (1 - ENOUGH) * asked, f"{len(lacking)} of {asked}:\n" + "\n".join(lacking)


def test_no_room_is_crowded():
    modules = Counter(path.parent for path in SOURCES if path.name != "__init__.py")
    assert {str(room): count for room, count in modules.items() if count > MOST_MODULES} == {}


def test_no_file_is_long():
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_no_function_is_long():
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node, _ in functions(ast.parse(path.read_text(encoding="utf-8")))
        if node.end_lineno - node.lineno + 1 > MOST_FUNCTION_LINES
    }
    assert long == {}


@pytest.mark.parametrize("library", ["ray", "mlflow"])
def test_every_module_but_its_own_is_kept_from_a_library(library):
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    contract = next(c for c in contracts if c["name"].startswith(f"{library} stays in "))
    named = (contract["name"].removeprefix(f"{library} stays in "), *contract["source_modules"])
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES if path.stem[0] != "_"]
    assert [m for m in modules if not any(f"{m}.".startswith(f"{name}.") for name in named)] == []


@pytest.mark.parametrize(
    "room", sorted({path.parent for path in SOURCES}), ids=lambda room: str(room.relative_to(ROOT))
)
def test_every_room_says_what_it_is_for(room):
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert len(said.split()) >= 25, "a paragraph: what the room is for, what it promises, what must not leak in"


def test_parameters_are_described():
    asked = [(where, said) for where, node, said in public() if len(parameters(node)) >= 3 and not overrides(said)]
    refuse([where for where, said in asked if "Args:" not in said], len(asked))


def test_errors_are_described():
    raising = [
        (where, said)
        for where, node, said in public()
        if any(isinstance(inner, ast.Raise) and inner.exc is not None for inner in ast.walk(node))
        and not overrides(said)
    ]
    refuse([where for where, said in raising if "Raises:" not in said], len(raising))


def test_shapes_of_arrays_are_described():
    asked = []
    for where, node, said in public():
        annotations = [argument.annotation for argument in parameters(node)] + [node.returns]
        text = " ".join(ast.unparse(annotation) for annotation in annotations if annotation is not None)
        if _ARRAYS.search(text) and not overrides(said):
            asked.append((where, said + " ".join(argument.arg for argument in parameters(node))))
    refuse([where for where, said in asked if not _SHAPE.search(said)], len(asked))


def test_dropped_words_are_gone():
    pattern = re.compile(rf"\b({'|'.join(DROPPED)})\b")
    pages = [path for path in ROOT.glob("docs/*.md") if path.name != "gallery.md"]
    texts = [*SOURCES, *pages, ROOT / "README.md", *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    found = {
        str(path.relative_to(ROOT)): sorted(set(pattern.findall(path.read_text(encoding="utf-8"))))
        for path in texts
        if path != Path(__file__) and pattern.search(path.read_text(encoding="utf-8"))
    }
    assert found == {}


def test_the_glossary_is_short():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Words")[2].partition("\n## ")[0]
    words = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith(("| word", "| ---"))]
    assert 0 < len(words) <= MOST_WORDS_OF_GLOSSARY


def test_every_test_file_names_what_it_tests():
    """A module or a folder at the place of the file; ``test_ROOM.py`` may also lie within the room."""

    def tested(path):
        place, name = path.parent.relative_to(ROOT / "tests"), path.stem.removeprefix("test_")
        return (ROOT / place / f"{name}.py").is_file() or (ROOT / place / name).is_dir() or place.name == name

    files = {path.relative_to(ROOT / "tests").as_posix(): path for path in (ROOT / "tests").rglob("test_*.py")}
    assert {file for file, path in files.items() if not tested(path)} == WITHOUT_A_MODULE.keys()
