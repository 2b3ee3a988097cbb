"""``eli5 --install-completion``: let the shell complete commands, options and file names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cyclopts import App

from eli5.cli.console import UserError, print_text

_EXAMPLES = """**Examples**

```
eli5 --install-completion
eli5 --install-completion --shell zsh
```
"""


def add_completion(app: App) -> None:
    """Add the command to an app."""

    def install_completion(
        *,
        shell: Literal["bash", "fish", "powershell", "zsh"] | None = None,
        output: Path | None = None,
    ) -> None:
        """Let the shell complete commands, options, method names and file names with Tab.

        Writes a script to where the shell looks for it, and a line that loads it into the shell's
        start-up file.

        Parameters
        ----------
        shell
            [default: the one that is running]
        output
            Write the script to this file and change no start-up file.
        """
        from cyclopts.completion.detect import ShellDetectionError

        try:
            path = app.install_completion(shell=shell, output=output, add_to_startup=output is None)
        except ShellDetectionError as error:
            raise UserError(
                "Expected --shell, because nothing tells which shell is running. "
                "Received: none. Name it: --shell bash, fish, powershell or zsh."
            ) from error
        except OSError as error:
            raise UserError(
                f"Expected a place that can be written to. Received: {error}. Name another: "
                "--output FILE"
            ) from error
        print_text(f"Written {path}. Start the shell anew to use it.")

    app.command(install_completion, name="--install-completion", help_epilogue=_EXAMPLES)
