"""Documents that point at nothing are refused: every relative link and every file named in a tree exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    targets = [t.split("#")[0] for t in _LINK.findall(text) if "://" not in t and not t.startswith(("#", "mailto:"))]
    missing = [t for t in targets if not (document.parent / t).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_headings_that_links_name_exist(document):
    text = document.read_text(encoding="utf-8")
    for target in (t for t in _LINK.findall(text) if "#" in t and "://" not in t):
        path, _, anchor = target.partition("#")
        other = (document.parent / path).read_text(encoding="utf-8") if path else text
        anchors = {_anchor(h) for h in re.findall(r"^#+ (.+)$", other, re.MULTILINE)}
        assert anchor in anchors, target


def test_the_readme_names_every_source_folder():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = ("sweeper", "trainables", "results", "search_spaces", "grids", "benchmarks", "examples", "docker", "docs")
    for folder in named:
        assert f"{folder}/" in readme


def _anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
