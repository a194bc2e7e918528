"""The `mudra` command: its sub-commands, and how errors are shown.

Exit codes: 0 all went well; 1 some of several inputs failed; 2 a wrong word, config, file or data set; 3 damaged
recordings were found; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys

import typer

from mudra.cli import compare, cost, data, demo, evaluate, explain, fuse, listing, predict, score, segment, train, tune
from mudra.errors import MudraError

STOPPED = 130  # exit code after Ctrl-C

app = typer.Typer(
    name="mudra",
    help="Gestures and actions in video, recognised as they unfold in time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("segment")(segment.segment)
app.command("tune")(tune.tune)
app.command("explain")(explain.explain)
app.command("compare")(compare.compare)
app.command("fuse")(fuse.fuse)
app.command("score")(score.score)
app.command("cost")(cost.cost)
app.command("demo")(demo.demo)
app.command("list")(listing.show)
app.add_typer(data.app, name="data")


@app.callback(invoke_without_command=True)
def _main(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        import mudra

        typer.echo(mudra.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; errors raised on purpose are told without a traceback."""
    try:
        app()
    except MudraError as error:
        print(f"error[{error.area}]: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise SystemExit(STOPPED) from None
    except SystemExit as end:
        if end.code == STOPPED:  # Typer answers Ctrl-C within a command itself, without a word
            print("stopped", file=sys.stderr)
        raise
