"""The files that a verb writes: their places checked before the work, each written whole or not at all."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.cli.exits import say_error
from scalebridge.cli.places import check_place
from scalebridge.core.errors import InputError, MissingExtraError
from scalebridge.core.files import sha256_of, write_text
from scalebridge.core.results import Outcome
from scalebridge.core.saved import Told
from scalebridge.core.upscaled import Upscaled, plain
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.operations import mirror
from scalebridge.io.cards import Dialect, conductivity_card
from scalebridge.io.fields import write_fields

_SUFFIXES = {"fields": (".vtkhdf", ".hdf", ".vti", ".h5", ".hdf5"), "report": (".html", ".htm")}


@dataclass(frozen=True)
class Outputs:
    """Where results go; None for what is not asked.

    Args:
        result: JSON file.
        report: HTML page.
        fields: local fields.
        card: material card.
        dialect: program that reads the card.
        title: heading of the page.
        card_text: makes the card of a result of a name and an origin; by default one of a conductivity.
    """

    result: Path | None = None
    report: Path | None = None
    fields: Path | None = None
    card: Path | None = None
    dialect: Dialect = "calculix"
    title: str | None = None
    card_text: Callable[[Upscaled, str, str], str] | None = None

    @property
    def paths(self) -> dict[str, Path]:
        """The files asked for, by kind."""
        found = {name: getattr(self, name) for name in ("fields", "report", "card", "result")}
        return {name: path for name, path in found.items() if path is not None}

    @property
    def needs_fields(self) -> bool:
        """Whether the local fields have to be kept: to write them, or to draw them."""
        return self.fields is not None or self.report is not None

    def check(self, inputs: tuple[Path, ...]) -> None:
        """Refuse, before any work, what could not be written at its end.

        Args:
            inputs: files that must not be overwritten.

        Raises:
            InputError: a path cannot be written, has the wrong suffix, or is that of an input or of another
                output.
            MissingExtraError: a format needs a package that is not installed.
        """
        for name, path in self.paths.items():
            check_place(name, path, inputs)
            _check_suffix(name, path)
        places = [path.resolve() for path in self.paths.values()]
        for name, path in self.paths.items():
            if places.count(path.resolve()) > 1:
                raise InputError(
                    name,
                    got=f"'{path}' for two outputs",
                    wanted="one file for each output",
                    cure="choose another name",
                )

    def check_dimension(self, dim: int) -> None:
        """Refuse a card of a 2-D result: the programs that read it want three directions."""
        if self.card is not None and dim != 3:
            raise InputError(
                "card",
                got=f"a {dim}-D image",
                wanted="a 3-D image, because a card has three directions",
                cure="leave the card out, or use a 3-D image",
            )

    def write(self, result: Upscaled, request: str = "") -> dict[str, Path]:
        """Write everything asked for; in the end the JSON has the hashes of the others.

        A card that cannot be written (a direction that does not conduct, no convergence) is refused with a
        block on standard error, and the others are written.

        Args:
            result: the result.
            request: what identifies the question, kept in the JSON.

        Returns:
            the files written, by kind.
        """
        written: dict[str, Path] = {}
        if self.result is not None:  # the numbers first, in case that a picture fails
            _write_result(self.result, result, request, written)
        if self.fields is not None:
            written["fields"] = _write_fields(self.fields, result)
        if self.report is not None:
            written["report"] = _write_report(self.report, result, self.title)
        if self.card is not None and (card := _write_card(self.card, result, self._card)):
            written["card"] = card
        if self.result is not None:
            written["result"] = _write_result(self.result, result, request, written)
        return written

    def write_table(self, table: Told, card: str, request: str = "") -> dict[str, Path]:
        """Write a table's report, card and JSON, as `write` does a result's.

        Args:
            table: the table.
            card: the text of its card.
            request: what identifies the question, kept in the JSON.
        """
        written: dict[str, Path] = {}
        if self.result is not None:
            _write_result(self.result, table, request, written)
        if self.report is not None:
            written["report"] = _write_report(self.report, table, self.title)
        if self.card is not None:
            written["card"] = write_text(self.card, card)
        if self.result is not None:
            written["result"] = _write_result(self.result, table, request, written)
        return written

    def write_study(self, study: Told, request: str = "") -> dict[str, Path]:
        """Write the report and JSON of a study or a structure, as `write` does a result's."""
        written: dict[str, Path] = {}
        if self.result is not None:
            _write_result(self.result, study, request, written)
        if self.report is not None:
            written["report"] = _write_report(self.report, study, self.title)
        if self.result is not None:
            written["result"] = _write_result(self.result, study, request, written)
        return written

    def _card(self, result: Upscaled, name: str, origin: str) -> str:
        if self.card_text is not None:
            return self.card_text(result, name, origin)
        return conductivity_card(np.asarray(result.value), name, result.unit, self.dialect, origin=origin)

    def stored(self) -> dict[str, Any] | None:
        """Return the result that is stored at the JSON's place, None if there is none of this kind."""
        if self.result is None or not self.result.is_file():
            return None
        try:
            told = json.loads(self.result.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = isinstance(told, dict) and str(told.get("schema")).startswith("scalebridge/")
        return told if known else None

    def complete(self, files: Mapping[str, Mapping[str, str]]) -> bool:
        """Whether every file asked for, the JSON aside, is there as it was written."""
        others = {kind: path for kind, path in self.paths.items() if kind != "result"}
        return all(
            kind in files and path.is_file() and sha256_of(path) == files[kind]["sha256"]
            for kind, path in others.items()
        )


def _check_suffix(name: str, path: Path) -> None:
    wanted = _SUFFIXES.get(name)
    if wanted is not None and path.suffix.lower() not in wanted:
        raise InputError(
            name,
            got=f"'{path.name}'",
            wanted=f"a file that ends in {', '.join(wanted)}",
            cure=f"name it '{path.stem}{wanted[0]}'",
        )
    if path.suffix.lower() == ".vti" and name == "fields" and find_spec("vtkmodules") is None:
        raise MissingExtraError("vtk", extra="vtk", purpose="writing a .vti file")


def _write_result(path: Path, result: Told, request: str, written: Mapping[str, Path]) -> Path:
    files = {kind: {"file": file.name, "sha256": sha256_of(file)} for kind, file in written.items()}
    told = {**plain(result.to_dict()), "passed": result.passed, "request": request, "files": files}
    return write_text(path, json.dumps(told, indent=2, allow_nan=False) + "\n")


def _write_fields(path: Path, result: Upscaled) -> Path:
    fields, units = dict(result.fields), {}
    for name in fields:
        kind = name.partition("_")[0]
        units[name] = {
            "gradient": "1",
            "flux": result.unit,
            "potential": "smallest voxel edge",
            "velocity": result.unit,
            "pressure": "m" if result.unit == "m^2" else "smallest voxel edge",
            "stress": "Pa/K" if name.endswith("thermal") else "Pa",
            "strain": "1/K" if name.endswith("thermal") else "1",
        }.get(kind, "1")
    voxel = None
    if isinstance(result.subject, VoxelImage):
        image = result.subject
        shape = next(iter(fields.values())).shape if fields else image.shape
        if shape[-image.dim :] != image.shape:
            image = mirror(image)
        fields["phase"] = image.labels
        voxel = image.voxel
    return write_fields(path, fields, voxel, units=units)


def _write_report(path: Path, result: Told, title: str | None) -> Path:
    from scalebridge.report.page import write_report

    return write_report(result, path, title=title)


def _write_card(path: Path, result: Upscaled, card: Callable[[Upscaled, str, str], str]) -> Path | None:
    described = result.provenance.inputs.get("image", {})
    failed = [check.name for check in result.checks if not check.passed]
    origin = str(described.get("path", "")) if isinstance(described, dict) else ""
    if failed:
        origin += f"; checks that failed: {', '.join(failed)}"
    try:
        if result.outcome is not Outcome.converged:
            raise InputError(
                "card",
                got=result.outcome.name,
                wanted="a converged result",
                cure="raise max_steps, or loosen rtol",
            )
        return write_text(path, card(result, path.stem, origin))
    except InputError as error:
        say_error(error)
        return None
