"""What the user did wrong, said once, in one paragraph."""

from difflib import get_close_matches


class InputError(Exception):
    """Input that cannot be used: the message says what, where, which value, what is allowed and what to do.

    The command line prints it without a traceback and exits with status 2.
    """


def suggest(word: str, known: list[str]) -> str:
    """Name the nearest known word, or list them all."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    listing = ", ".join(sorted(known))
    return f"did you mean '{near[0]}'? (known: {listing})" if near else f"known: {listing}"
