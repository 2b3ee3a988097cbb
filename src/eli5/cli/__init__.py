"""The command ``eli5``: its subcommands, and how it ends.

Exit codes: 0, 1 if some pictures or texts could not be explained or nobody reads the output any
more, 2 if something is wrong with what was asked for (one line on standard error says what), 3 if
the evidence of a picture has moved further than it may, 130 after Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys

from cyclopts import App, CycloptsError, Parameter, UnknownOptionError

from eli5.cli.backend import installed_versions
from eli5.cli.commands.benchmark import BENCHMARK_EXAMPLES, run_benchmark
from eli5.cli.commands.bulk import BULK_EXAMPLES, STATUS_EXAMPLES, explain_bulk, show_bulk_status
from eli5.cli.commands.demo import DEMO_EXAMPLES, explain_demo
from eli5.cli.commands.diff import DIFF_EXAMPLES, diff_models
from eli5.cli.commands.evaluate import EVALUATE_EXAMPLES, evaluate_methods
from eli5.cli.commands.explain import EXAMPLES, explain_pictures
from eli5.cli.commands.explain_text import TEXT_EXAMPLES, explain_texts
from eli5.cli.commands.gallery import GALLERY_EXAMPLES, make_gallery
from eli5.cli.commands.layers import LAYER_EXAMPLES, list_layers
from eli5.cli.commands.methods import METHOD_EXAMPLES, list_methods
from eli5.cli.commands.serve import SERVE_EXAMPLES, serve_models
from eli5.cli.console import UserError, print_error

_FIRST_STEPS = """**Examples**

```
eli5 demo
eli5 layers MobileNetV2
eli5 explain MobileNetV2 cat.jpg --out cat.html
eli5 explain-text reader.keras "not a good film"
```
"""

app = App(
    name="eli5",
    version=installed_versions,
    version_format="plaintext",
    help="Explain what a Keras model looked at.",
    help_format="markdown",
    help_epilogue=_FIRST_STEPS,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
    # Errors are raised, for `main` to print them in one line.
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
)
app.command(
    explain_pictures,
    name="explain",
    usage="Usage: eli5 explain [OPTIONS] MODEL IMAGES...",
    help_epilogue=EXAMPLES,
)
app.command(
    explain_texts,
    name="explain-text",
    usage="Usage: eli5 explain-text [OPTIONS] MODEL [TEXTS...]",
    help_epilogue=TEXT_EXAMPLES,
)
app.command(
    evaluate_methods,
    name="evaluate",
    usage="Usage: eli5 evaluate [OPTIONS] MODEL PHOTOS... --out DIR",
    help_epilogue=EVALUATE_EXAMPLES,
)
app.command(
    diff_models,
    name="diff",
    usage="Usage: eli5 diff [OPTIONS] OLD NEW IMAGES...",
    help_epilogue=DIFF_EXAMPLES,
)
app.command(list_layers, name="layers", help_epilogue=LAYER_EXAMPLES)
app.command(list_methods, name="methods", help_epilogue=METHOD_EXAMPLES)
app.command(explain_bulk, name="bulk", help_epilogue=BULK_EXAMPLES)
app.command(show_bulk_status, name="bulk-status", help_epilogue=STATUS_EXAMPLES)
app.command(
    make_gallery,
    name="gallery",
    usage="Usage: eli5 gallery [OPTIONS] RESULTS",
    help_epilogue=GALLERY_EXAMPLES,
)
app.command(
    serve_models,
    name="serve",
    usage="Usage: eli5 serve [OPTIONS] MODELS...",
    help_epilogue=SERVE_EXAMPLES,
)
app.command(run_benchmark, name="benchmark", help_epilogue=BENCHMARK_EXAMPLES)
app.command(explain_demo, name="demo", help_epilogue=DEMO_EXAMPLES)
app.register_install_completion_command(
    help="Let the shell complete commands, options, method names and file names with Tab.",
    help_epilogue="**Examples**\n\n```\neli5 --install-completion\n```\n",
)


def main(argv: list[str] | None = None) -> int:
    """Run the command line with these arguments, or those of the process; return the exit code."""
    # Write what the terminal's encoding lacks as an escape; a class name may have any letter.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except CycloptsError as error:
        print_error(f"{error} {_advice(error)}")
        return 2
    except UserError as error:
        print_error(*error.lines)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Or Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0


def _advice(error: CycloptsError) -> str:
    if isinstance(error, UnknownOptionError):
        name = error.token.keyword or error.token.value
        if os.path.exists(name):
            return f"To name a file that starts with a dash, write it as .{os.sep}{name}"
    return "Try: eli5 --help"
