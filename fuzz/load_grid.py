"""Looks for texts that ``load_grid`` answers otherwise than with a grid or an ``InputError``, or takes long to answer.

Coverage-guided, by atheris (``pip install atheris``, Linux): ``python fuzz/load_grid.py SECONDS``, or ``make fuzz``. It
starts from the shipped grids and the words of the grid file, goes on from what it found interesting before, and writes
a text that fails to ``.fuzz/crash-…`` or ``.fuzz/timeout-…``; ``python fuzz/load_grid.py FILE`` shows what that does.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["search_spaces", "yaml"]):
    from search_spaces.errors import InputError
    from search_spaces.points import count_points, make_points
    from search_spaces.reading.load import load_grid
    from search_spaces.reference.json_schema import grid_schema

GRIDS = Path(__file__).parent.parent / "grids"
WORK = Path(".fuzz")
LONGEST = 4000  # bytes; the longest shipped grid has about 2,500
SLOWEST = 20  # seconds that a text may take; instrumented code is some ten times slower
MOST_POINTS = 200  # of a grid whose points are made as well


def answer(content: bytes) -> None:
    """Give ``load_grid`` what a file may hold."""
    try:
        grid = load_grid(content.decode(errors="surrogateescape"), "grid.yaml")
        if count_points(grid) <= MOST_POINTS:
            make_points(grid)
    except InputError as error:
        str(error).encode()  # a terminal must be able to show it


def words(schema: object) -> Iterator[str]:
    """Every key and every named value of the grid file."""
    if isinstance(schema, Mapping):
        yield from schema.get("properties", {})
        yield from (str(value) for value in (*schema.get("enum", ()), schema.get("const", "")) if value)
        for inner in schema.values():
            yield from words(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from words(inner)


def main() -> None:
    """Run for as many seconds as the command line says, or one file."""
    given = sys.argv[1] if len(sys.argv) > 1 else "60"
    if not given.isdigit():
        return answer(Path(given).read_bytes())
    seeds, dictionary = WORK / "seeds", WORK / "words"
    seeds.mkdir(parents=True, exist_ok=True)
    for path in GRIDS.rglob("*.yaml"):
        lines = path.read_text(encoding="utf-8").splitlines()
        bare = "\n".join(line for line in lines if not line.startswith("#"))  # comments hold no code to cover
        (seeds / f"{path.parent.name}-{path.name}").write_text(bare, encoding="utf-8")
    quoted = {word for word in words(grid_schema()) if word.isascii() and '"' not in word and "\\" not in word}
    dictionary.write_text("".join(f'"{word}"\n' for word in sorted(quoted)), encoding="utf-8")
    limits = [f"-max_len={LONGEST}", "-len_control=0", f"-timeout={SLOWEST}", "-rss_limit_mb=4096"]
    options = [f"-dict={dictionary}", f"-artifact_prefix={WORK}/", f"-max_total_time={given}", *limits]
    atheris.Setup([sys.argv[0], str(seeds), *options], answer)
    atheris.Fuzz()
    return None


if __name__ == "__main__":
    main()
