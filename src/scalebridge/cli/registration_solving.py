"""Registrations on the command line: outputs checked first, then found, written and printed."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import typer
from rich.console import Console
from rich.text import Text

from scalebridge.cli.answering import leave
from scalebridge.cli.places import check_place
from scalebridge.cli.terminal import console, show_written, verdict_text
from scalebridge.core.errors import InputError
from scalebridge.registration.anchoring import write_anchoring
from scalebridge.registration.exports import check_kind, read_map, write_map
from scalebridge.registration.frame import Frame
from scalebridge.registration.landmarks import read_bigwarp, read_geojson_pairs
from scalebridge.registration.reading import open_slide
from scalebridge.registration.register import register
from scalebridge.registration.registration_result import Registration
from scalebridge.registration.slide import Slide
from scalebridge.registration.warp import warp
from scalebridge.report.page import write_report


def answer_registration(
    fixed: str,
    moving: str,
    settings: dict[str, Any],
    *,
    landmarks: list[str],
    maps: list[str],
    anchoring: str | None,
    warped: str | None,
    out: str | None,
    report: str | None,
    as_json: bool,
    progress: bool | None,
) -> None:
    """Register two files, write what is asked and print it.

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    places = {f"map {k}" if k else "map": Path(name) for k, name in enumerate(maps)}
    asked = (("anchoring", anchoring), ("warped", warped), ("out", out), ("report", report))
    places |= {k: Path(p) for k, p in asked if p is not None}
    others = [settings[key] for key in ("fixed_mask", "moving_mask", "start")]
    inputs = tuple(Path(p) for p in (fixed, moving, *landmarks, *others) if p is not None)
    _check_places(places, inputs, maps)
    if maps or anchoring is not None:
        _check_kinds(open_slide(moving, pixel=settings["moving_pixel"], argument="moving"), maps, anchoring)
    marks = _read_landmarks(landmarks, (fixed, moving), settings) if landmarks else None
    found = register(fixed, moving, **settings, landmarks=marks, progress=_teller(progress, as_json))
    written: dict[str, Path] = {}
    if out is not None:
        written["result"] = found.save(out)
    for name in maps:
        for file in write_map(found.map, name):
            written[f"map {len(written)}" if "map" in written else "map"] = file
    if anchoring is not None:
        names = (Path(fixed).name, Path(moving).name)
        written["anchoring"] = write_anchoring(
            anchoring, found.map, found.moving_frame, *names, points=found.tissue_points()
        )
    if warped is not None:
        warp(found, moving, moving_pixel=settings["moving_pixel"], out=warped)
        written["warped"] = Path(warped)
    if report is not None:
        written["report"] = write_report(found, report)
    if as_json:
        typer.echo(found.to_json())
    else:
        _show(console(), found, written)
    leave(found.passed, converged=True)


def _read_landmarks(
    files: list[str], images: tuple[str, str], settings: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs from one CSV of BigWarp's, or from two of QuPath's files."""
    endings = [Path(name).suffix.lower() for name in files]
    if endings == [".csv"]:
        return read_bigwarp(files[0])
    if len(files) != 2 or not set(endings) <= {".geojson", ".json"}:
        raise InputError(
            "landmarks",
            got=", ".join(files),
            wanted="one .csv of BigWarp's, or two .geojson of QuPath's, FIXED's first",
            cure="repeat --landmarks for the second file",
        )
    frames = [
        open_slide(image, pixel=settings[f"{name}_pixel"], argument=name).frame
        for image, name in zip(images, ("fixed", "moving"), strict=True)
    ]
    if any(frame.size != 2 for frame in frames):
        raise InputError(
            "landmarks", got="points of a plane in a volume", wanted="two planes", cure="pass a .csv in mm"
        )
    return read_geojson_pairs(files[0], files[1], (frames[0], frames[1]))


def _check_places(places: dict[str, Path], inputs: tuple[Path, ...], maps: list[str]) -> None:
    for name, path in places.items():
        check_place(name, path, inputs)
    for name in maps:
        check_kind(Path(name))
    resolved = [path.resolve() for path in places.values()]
    for name, path in places.items():
        if resolved.count(path.resolve()) > 1:
            raise InputError(
                name, got=f"'{path}' for two outputs", wanted="one file each", cure="choose another"
            )
    if "warped" in places and places["warped"].suffix.lower() not in (".tif", ".tiff"):
        raise InputError(
            "warped", got=f"'{places['warped']}'", wanted="a .tif file", cure="name it warped.ome.tif"
        )
    if "report" in places and places["report"].suffix.lower() not in (".html", ".htm"):
        raise InputError(
            "report", got=f"'{places['report']}'", wanted="an .html file", cure="name it report.html"
        )


def _check_kinds(moving: Slide, maps: list[str], anchoring: str | None) -> None:
    """Refuse before long work what is not written of a map into a plane, or into a volume."""
    in_volume = moving.frame.size == 3
    for name in maps:
        check_kind(Path(name), in_volume)
    if anchoring is not None and not in_volume:
        raise InputError(
            "anchoring", got=f"'{anchoring}' for two planes", wanted="a volume as MOVING", cure="use --map"
        )


def _teller(progress: bool | None, as_json: bool) -> Callable[[str], None] | None:
    wanted = sys.stderr.isatty() and not as_json if progress is None else progress
    return (lambda line: typer.echo(line, err=True)) if wanted else None


def _show(out: Console, found: Registration, written: dict[str, Path]) -> None:
    """Print the registration as its text has it, with coloured verdicts."""
    for line in str(found).splitlines():
        head, _, rest = line.strip().partition("  ")
        if head in ("pass", "FAIL"):
            out.print(verdict_text(head == "pass"), Text(rest), soft_wrap=True)
        elif line.strip().startswith("note:"):
            out.print(Text(line.strip(), style="yellow"), soft_wrap=True)
        else:
            out.print(Text(line), soft_wrap=True)
    show_written(out, written)


def warp_file(
    map_file: str,
    moving: str,
    out: str,
    *,
    fixed: tuple[str | None, str | None],
    progress: bool | None,
    moving_pixel: str | None,
    pixel: str | None,
    interpolation: Literal["linear", "nearest"],
    background: float | None,
) -> None:
    """Read a map, carry an image, and say where it went."""
    check_place("out", Path(out), tuple(Path(p) for p in (map_file, moving, fixed[0]) if p is not None))
    frame = _grid(map_file, *fixed)
    tell = _teller(progress, as_json=False)
    written = warp(
        read_map(map_file, frame),
        moving,
        moving_pixel=moving_pixel,
        pixel=pixel,
        out=out,
        interpolation=interpolation,
        background=background,
        progress=None if tell is None else (lambda share: tell(f"{share:.0%}")),
    )
    show_written(console(), {"warped": Path(str(written))})


def _grid(map_file: str, fixed: str | None, pixel: str | None) -> Frame:
    if fixed is not None:
        return open_slide(fixed, pixel=pixel, argument="fixed").frame
    if not map_file.endswith(".json"):
        raise InputError(
            "fixed",
            got="nothing",
            wanted="the fixed image, for its grid",
            cure="pass --fixed, or a .json map",
        )
    return Frame((2, 2), (0.0, 0.0), (1.0, 1.0))  # the file has its own
