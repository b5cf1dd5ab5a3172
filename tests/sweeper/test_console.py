"""What commands print: text from outside in bounds, and words as a shell takes them."""

import io
import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search_spaces.errors import command
from sweeper.console import MAX_SHOWN, error_line, quoted, stderr, stdout, untrusted


@given(st.text(), st.text())
def test_a_printed_command_is_read_by_a_shell_as_it_was_meant(first, second):
    assert shlex.split(f"sweeper ui --out {quoted(first)}") == ["sweeper", "ui", "--out", first]
    assert shlex.split(command("sweeper", first, second)[1:-1]) == ["sweeper", first, second]


@given(st.text(st.characters(codec="utf-8")))
def test_text_of_a_server_has_nothing_that_a_terminal_obeys(text):
    shown = untrusted(text)
    assert shown.isprintable()
    assert len(shown) <= MAX_SHOWN
    assert untrusted(shown) == shown


@pytest.mark.parametrize("word", ["1", "x", "[", "'", "\x1b", "/", "=", "é", "\n"])
def test_a_long_word_is_bounded(word):
    assert len(untrusted(word * 100_000)) <= MAX_SHOWN


@pytest.mark.parametrize("console", [stdout, stderr])
def test_no_console_looks_for_words_to_highlight(console):
    """Rich takes quadratic time for that: 36 s for 40,000 digits."""
    made = console()
    assert not made._highlight
    made.file = io.StringIO()
    made.print("1" * 100_000, soft_wrap=True)
    assert len(made.file.getvalue()) == 100_001


MARKUP = st.text(st.sampled_from("\\[]/=:b x1'\""), max_size=30)


@given(MARKUP)
@example("[bold]x[/] [link=http://x]y[/link]")
@example(r"x\[/b].yaml")
@example(":dog: [:dog:]")
def test_markup_is_shown_as_it_is(text):
    console = stderr()
    console.file = io.StringIO()
    console.print(error_line(text), soft_wrap=True)
    assert console.file.getvalue() == f"error: {text}\n"
