"""The scalebridge command."""

from typing import Annotated

import typer

from scalebridge.cli.check import check
from scalebridge.cli.conductivity import conductivity
from scalebridge.cli.core import core
from scalebridge.cli.exits import EPILOG
from scalebridge.cli.expansion import expansion
from scalebridge.cli.fe2 import fe2
from scalebridge.cli.fuse import fuse
from scalebridge.cli.infer import infer
from scalebridge.cli.inspect import inspect
from scalebridge.cli.interface import interface
from scalebridge.cli.laminate import laminate
from scalebridge.cli.permeability import permeability
from scalebridge.cli.reactor import reactor
from scalebridge.cli.register import register
from scalebridge.cli.run import run
from scalebridge.cli.rve import rve
from scalebridge.cli.sample import sample
from scalebridge.cli.scales import scales
from scalebridge.cli.schema import schema
from scalebridge.cli.stiffness import stiffness
from scalebridge.cli.warp import warp

# Help is set by Typer alone: loading Rich for it takes three times as long as all the rest.
app = typer.Typer(
    name="scalebridge",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
_VERBS = {
    conductivity: "The effective conductivity tensor of an image.",
    stiffness: "The effective stiffness of an image.",
    expansion: "The effective thermal expansion of an image.",
    permeability: "The permeability of the pores of an image.",
    interface: "Effective coefficients of phase fields, and flat interfaces.",
    laminate: "The conductivity of a stack of layers, exactly.",
    fe2: "A structure with a law or a volume of voxels at each point.",
    rve: "How large a sample has to be: subvolumes of an image.",
    fuse: "One field at the finest resolution from sensors at several.",
    infer: "What measurements of small samples say of the large.",
    sample: "A posterior, with cheap models screening for an expensive one.",
    scales: "Which scales of values are more than noise.",
    register: "The map between two images of the same tissue.",
    warp: "Carry an image by a map that was found.",
    core: "A core of homogenised regions: multiplication and power.",
    reactor: "Neutron transport in a lattice, and the constants of a coarse core.",
    run: "Run a case file.",
    inspect: "What is in an image file.",
    check: "Solve problems with exact answers on this machine.",
    schema: "What a case file may say, as a JSON schema.",
}
for _verb, _short in _VERBS.items():
    app.command(epilog=EPILOG, short_help=_short)(_verb)


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"scalebridge {version('scalebridge')}")
        raise typer.Exit


@app.callback(epilog=EPILOG)
def face(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Pass parameters between scales, with unit, uncertainty, derivative and proof of what was preserved."""


def main() -> None:
    """Run the command line."""
    app()
