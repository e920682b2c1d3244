"""`python -m benchmarks`: ours beside public peers in one run; writes out/bench/PHYSICS.json and .md."""

import argparse
import datetime
import json
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import contest, startup, table
from benchmarks.cases import Case, write_images
from benchmarks.contest import Contender, ContenderFailed
from benchmarks.environments import ROOT, PeerMissing, own_python, python_of
from benchmarks.measure import wait_until_idle
from scalebridge.core.files import write_text

Runner = tuple[Contender, str]
PHYSICS = ("conduction", "stiffness")
SMALL = 32  # voxels an edge that an assembled matrix still affords; for stiffness


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only rve64, without peers")
    parser.add_argument("--alone", action="store_true", help="without peers")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128], help="voxels an edge")
    parser.add_argument("--contrasts", type=float, nargs="+", default=[10.0, 1000.0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3, help="solves of which the best counts")
    parser.add_argument(
        "--budget", type=float, default=20.0, help="seconds after which a contender is not repeated"
    )
    parser.add_argument(
        "--seconds-limit", type=float, default=30.0, help="for a direction of a relaxation peer"
    )
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds to wait for an idle machine, each row"
    )
    parser.add_argument(
        "--physics",
        nargs="+",
        choices=PHYSICS,
        default=list(PHYSICS),
        help="what is solved; all unless given",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.sizes, chosen.alone = [64], True
    return chosen


def main() -> None:
    chosen = options()
    images = write_images(chosen.out / "images", [SMALL, *chosen.sizes])
    for physics in chosen.physics:
        contest_of(physics, chosen, images)


def contest_of(physics: str, chosen: argparse.Namespace, images: dict[str, Path]) -> None:
    """Run one task and write its table."""
    load = os.getloadavg()[0]
    notes: list[str] = []
    runners, counts = admitted(physics, chosen, images["laminate"], notes)
    sizes = [SMALL, *chosen.sizes] if any(r[0].largest == SMALL for r in runners) else chosen.sizes
    transforms = floors(sizes, counts, chosen.patience)
    rows = []
    for case in cases_of(sizes, chosen.contrasts, images):
        for runner in (r for r in runners if r[0].largest >= case.size):
            rows.append(measured_row(runner, case, chosen, transforms))
            print(table.line(rows[-1]), flush=True)
    results = {
        "physics": physics,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {**machine(), "load_before": load},
        "rows": rows,
        "notes": notes + agreement(rows),
        "transforms": transforms,
        "breakdown": breakdown(chosen, images) if physics == "conduction" else {},
        "startup": startup.measured() if physics == "conduction" else [],
    }
    results["machine"]["load_after"] = os.getloadavg()[0]
    write_text(chosen.out / f"{physics}.json", json.dumps(results, indent=1))
    written = write_text(chosen.out / f"{physics}.md", table.page(results))
    print(f"\n{table.page(results)}\nWritten: {written} and {physics}.json", flush=True)


def admitted(
    physics: str, chosen: argparse.Namespace, laminate: Path, notes: list[str]
) -> tuple[list[Runner], list[int]]:
    """Return the contenders that are right on the laminate with their interpreters, and thread counts."""
    runners: list[Runner] = []
    for contender, python in candidates(physics, chosen, notes):
        label = f"{contender.name} ({contender.scheme}, {contender.stop} {contender.tolerance:g})"
        try:
            error = contest.laminate_error(contender, python, laminate)
        except ContenderFailed as failure:
            notes.append(f"{label} failed on the laminate and is left out: {failure}")
            continue
        right = error <= contender.laminate_rtol
        verdict = "right" if right else "WRONG, left out"
        notes.append(
            f"Laminate, {contender.threads} threads, {label}: {verdict}, relative error {error:.1e}."
        )
        print(notes[-1], flush=True)
        if right:
            runners.append((contender, python))
    return runners, sorted({contender.threads for contender, _ in runners})


def candidates(physics: str, chosen: argparse.Namespace, notes: list[str]) -> Iterator[Runner]:
    """Yield everyone who may compete; a peer that cannot be installed leaves a note."""
    own = contest.elastic if physics == "stiffness" else contest.own
    peers = contest.elastic_peers if physics == "stiffness" else contest.peers
    for contender in own(chosen.threads):
        yield contender, own_python()
    if chosen.alone:
        return
    if chosen.threads > 1:  # beside a peer that is serial
        for contender in own(1):
            if contender.stop == "residual":
                yield contender, own_python()
    for peer, contenders in peers(chosen.threads).items():
        try:
            python = python_of(peer)
        except PeerMissing as reason:
            notes.append(str(reason))
            print(notes[-1], flush=True)
            continue
        for contender in contenders:
            yield contender, python


def floors(
    sizes: list[int], threads: list[int], patience: float
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return the seconds of a transform pair by threads, size and library."""
    python = transforms_python()
    wait_until_idle(patience)
    return {
        str(count): contest.run_fresh(
            "benchmarks.transforms", python, {"sizes": sizes, "threads": count}, count
        )
        for count in threads
    }


def transforms_python() -> str:
    """Return the interpreter that has the transform libraries: this one, if theirs cannot be made."""
    try:
        return python_of("transforms")
    except PeerMissing as reason:
        print(reason, flush=True)
        return own_python()


def cases_of(sizes: list[int], contrasts: list[float], images: dict[str, Path]) -> list[Case]:
    return [
        Case(f"rve{size}, 1:{contrast:g}", str(images[f"rve{size}"]), size, (1.0, contrast))
        for size in sizes
        for contrast in contrasts
    ]


def measured_row(
    runner: Runner, case: Case, chosen: argparse.Namespace, transforms: dict[str, Any]
) -> dict[str, Any]:
    contender, python = runner
    wait_until_idle(chosen.patience)
    row: dict[str, Any] = {
        "case": case.name,
        "contender": contender.name,
        "scheme": contender.scheme,
        "stop": contender.stop,
        "tolerance": contender.tolerance,
        "threads": contender.threads,
    }
    try:
        row |= contest.run(
            contender,
            python,
            case,
            repeat=chosen.repeat,
            budget=chosen.budget,
            seconds_limit=chosen.seconds_limit,
            floor=transforms_python(),
        )
    except ContenderFailed as failure:
        return {**row, "reason": f"failed: {failure}"}
    if contender.transforms:
        times = transforms[str(contender.threads)][str(case.size)].values()
        components = 3 if contender.physics == "stiffness" else 1
        row["floor_seconds"] = components * sum(row["iterations"]) * min(t for t in times if t is not None)
    return row


def agreement(rows: list[dict[str, Any]]) -> list[str]:
    """Return how far ours and muGrid's tensors are apart, where both solved the same equations."""
    found = {
        (row["case"], row["scheme"], row["contender"]): np.array(row["tensor"])
        for row in rows
        if row["stop"] == "residual" and "tensor" in row
    }
    notes = []
    for (case, scheme, name), tensor in found.items():
        ours = found.get((case, scheme, "scalebridge"))
        if name in ("muGrid", "fedoo") and ours is not None:
            gap = np.max(np.abs(ours - tensor)) / np.max(np.abs(ours))
            notes.append(f"{case}, {scheme}: ours and {name}'s tensors differ by {gap:.1e} relative.")
    return notes


def breakdown(chosen: argparse.Namespace, images: dict[str, Path]) -> dict[str, Any]:
    wait_until_idle(chosen.patience)
    job = {"images": {f"rve{size}": str(images[f"rve{size}"]) for size in chosen.sizes}}
    return contest.run_fresh("benchmarks.breakdown", own_python(), job, chosen.threads)


def machine() -> dict[str, Any]:
    names = re.findall(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
