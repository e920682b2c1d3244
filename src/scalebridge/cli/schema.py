"""scalebridge schema: what a case file may say, as a JSON schema."""

from typing import Annotated

import typer

from scalebridge.cli.exits import refusals
from scalebridge.cli.options import Debug


def schema(
    *,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE.json", help="Write it to a file instead.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Print the JSON schema of case files, for editors and other programs."""
    with refusals(debug):
        import json

        from scalebridge.cli.case import json_schema
        from scalebridge.core.files import write_text

        text = json.dumps(json_schema(), indent=2)
        if out is None:
            typer.echo(text)
        else:
            write_text(out, text + "\n")
