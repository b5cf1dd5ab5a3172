"""Documents that point at nothing are refused: every relative link and every file named in a tree exists."""

import re
from pathlib import Path

import pytest

from results.analysis.clocks.reading import CLOCK_TITLES
from results.claims.judge import CLAIMS_BY_NAME

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


def test_the_page_on_verdicts_names_every_claim_and_clock():
    page = (ROOT / "docs/verdicts.md").read_text(encoding="utf-8")
    for name in (*CLAIMS_BY_NAME, *CLOCK_TITLES):
        assert f"`{name}`" in page, name


GENERATED = {"grid.md", "gallery.md"}  # from field docstrings and from records
MOST_WORDS = 28


def sentences(text):
    """The sentences of a page: paragraphs, list items and table cells; code, links' addresses and headings apart."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", "code", text)
    text = re.sub(r"^(#|>|\| ?-).*$", "", text, flags=re.MULTILINE)
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\||^\s*(?:[-*]|\d+\.) ", text, flags=re.MULTILINE)
    for block in blocks:
        for sentence in re.split(r"(?<=[.!?:;])\s+(?=[A-Z*`(\d])", " ".join(block.split())):
            if len(sentence.split()) > 3:
                yield sentence


@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if d.name not in GENERATED and d.parent.name != "decisions"], ids=lambda p: p.name
)
def test_sentences_can_be_read_the_first_time(document):
    lengths = [(len(s.split()), s) for s in sentences(document.read_text(encoding="utf-8"))]
    long = [f"{words}: {sentence}" for words, sentence in lengths if words > MOST_WORDS]
    assert len(long) <= 0.1 * len(lengths), "\n".join(long)


def _anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
