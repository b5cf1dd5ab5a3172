"""``sweeper``, and ``python -m sweeper``."""

import sys

from sweeper.own_packages import NamesakeError


def main() -> None:
    """Entry point: says in a line where another module stands in the place of a package of sweeper."""
    try:
        from sweeper.cli import app  # noqa: PLC0415 - the import itself may fail
    except NamesakeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    app.main()


if __name__ == "__main__":
    main()
