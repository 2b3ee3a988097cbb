"""``eli5`` and ``python -m eli5``: the command line, or a word on what it lacks."""

import sys
from importlib.util import find_spec


def main() -> int:
    """Run the command line; return the exit code."""
    if find_spec("cyclopts") is None:
        print(
            "eli5: error: Expected the command line's libraries to be installed. Received: no "
            'module cyclopts. Install them: pip install "eli5-keras[cli]"',
            file=sys.stderr,
        )
        return 2

    try:
        from eli5.cli import main

        return main()
    except KeyboardInterrupt:  # while it is still being loaded
        return 130


if __name__ == "__main__":
    sys.exit(main())
