"""`python -m benchmarks.registration`: accuracy and processor time of registrations beside public peers.

Tasks have a known map (`scalebridge.registration.problems`): a section made from an anatomy, from scratch.
With `--anatomy FILE` (a T1 volume such as Colin27, 1 mm) its axial slice is taken, else the phantom.
Reported are median, 95th percentile and largest error over tissue outside damage, the median inside, the
smallest ratio of areas, and processor seconds. Peers run in their own interpreter (`--peers PYTHON`, with
itk-elastix, SimpleITK and antspyx).

    python -m benchmarks.registration --task all --anatomy ch2.nii.gz --peers PYTHON
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks.table import markdown
from scalebridge.registration.problems import HistologyTask, histology_task, phantom_anatomy
from scalebridge.registration.register import register
from scalebridge.registration.registration_result import RADIUS_95
from scalebridge.registration.spatial_image import SpatialImage

SIZES = {"512": (512, None), "2048": (2048, None), "230-2048": (2048, 230)}
STARTS = [(angle, 1, False) for angle in (0, 20, 45, 90, 135, 180, -70)]
STARTS += [(30, 2, True), (150, 3, True), (-110, 4, False), (65, 5, False)]
PEERS = ("elastix", "simpleitk", "ants")


def anatomy_of(path: str | None, level: int = 85) -> np.ndarray:
    """An axial slice of a volume in the middle of 230 x 230 samples, or the phantom."""
    if path is None:
        return phantom_anatomy()
    import nibabel  # noqa: PLC0415 (an extra)

    part = np.asarray(nibabel.load(path).get_fdata())[:, :, level][:, ::-1] / 120.0
    found = np.zeros((230, 230))
    x, y = ((230 - n) // 2 for n in part.shape)
    found[x : x + part.shape[0], y : y + part.shape[1]] = part
    return found


def errors_of(mapped: np.ndarray, task: HistologyTask) -> tuple[str, ...]:
    """Median, 95th percentile and largest error outside damage, and the median inside, mm."""
    miss = np.linalg.norm(mapped - task.answers, axis=1)
    sound, hurt = miss[~task.damaged], miss[task.damaged]
    numbers = (np.median(sound), np.percentile(sound, 95), sound.max(), np.median(hurt))
    return tuple(f"{v:.3f}" for v in numbers)


def ours(task: HistologyTask, masked: bool, **options) -> tuple[str, ...]:
    """A row of this library."""
    started = time.process_time()
    found = register(
        SpatialImage(task.fixed, task.fixed_frame),
        SpatialImage(task.moving_colour, task.moving_frame),
        moving_mask=task.sound if masked else None,
        **options,
    )
    seconds = time.process_time() - started
    least = found.jacobian(task.points).min()
    some = np.flatnonzero(~task.damaged)[::10]
    miss = np.linalg.norm(found.map_points(task.points[some]) - task.answers[some], axis=1)
    covered = np.mean(miss <= RADIUS_95 * found.standard_error(task.points[some]))
    errors = errors_of(found.map_points(task.points), task)
    return (*errors, f"{least:.2f}", f"{seconds:.1f}", f"{covered:.0%}")


def peer(python: str, name: str, task: HistologyTask, folder: Path) -> tuple[str, ...]:
    """A row of a peer: images out, mapped points back."""
    np.savez(
        folder / "task.npz", fixed=task.fixed, moving=task.moving, mask=task.sound, points=task.points,
        fixed_mask=ndimage.binary_dilation(task.fixed_mask, iterations=max(1, len(task.fixed) // 100)),
        pitch=(task.fixed_frame.spacing[0], task.moving_frame.spacing[0]),
    )  # fmt: skip
    program = Path(__file__).with_name("contender_registration.py")
    done = subprocess.run(
        [python, str(program), name, str(folder)], capture_output=True, text=True, timeout=3600, check=False
    )
    if done.returncode:
        return (
            "failed",
            done.stderr.strip().splitlines()[-1][:60] if done.stderr.strip() else "",
            *[""] * 5,
        )
    answer = np.load(folder / "answer.npz")
    return (*errors_of(answer["mapped"], task), "", f"{float(answer['seconds']):.1f}", "")


def accuracy(names: list[str], anatomy: np.ndarray, python: str | None) -> None:
    """Bars of accuracy, with masks, and for 512 without."""
    rows = []
    for name in names:
        pixels, scan = SIZES[name]
        task = histology_task(anatomy, pixels=pixels, scan_pixels=scan)
        rows.append((name, "scalebridge, masked", *ours(task, True)))
        if name == "512":
            rows.append((name, "no mask, damage detected", *ours(task, False)))
            rows.append((name, "no mask, nothing detected", *ours(task, False, damage="given")))
        for other in PEERS if python else ():
            with tempfile.TemporaryDirectory() as folder:
                rows.append((name, other, *peer(python, other, task, Path(folder))))
    head = ("task", "method", "median mm", "95 %", "largest", "in damage", "least area", "CPU s", "covered")
    print(markdown(head, rows))


def seeds(anatomy: np.ndarray, which: list[int]) -> None:
    """512 x 512 with masks on several seeds, and how many points lie within the stated 95 %."""
    rows = []
    for seed in which:
        task = histology_task(anatomy, pixels=512, seed=seed)
        rows.append((str(seed), *ours(task, True)))
    head = ("seed", "median mm", "95 %", "largest", "in damage", "least area", "CPU s", "covered")
    print(markdown(head, rows))


def starts(anatomy: np.ndarray) -> None:
    """The linear stage alone from eleven rotations and faces."""
    rows = []
    for angle, seed, flip in STARTS:
        task = histology_task(anatomy, pixels=256, rotation=angle, seed=seed, flip=flip)
        row = ours(task, True, deform=False)
        rows.append((f"{angle}{' flipped' if flip else ''}", row[0], row[-2]))
    found = sum(float(row[1]) < 6.0 for row in rows)
    print(markdown(("rotation", "median mm", "CPU s"), rows))
    print(f"{found} of {len(rows)} under 6 mm")


def main() -> None:
    """Run what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=[*SIZES, "starts", "seeds", "all"], default="512")
    parser.add_argument("--anatomy", help="T1 volume, 1 mm (NIfTI)")
    parser.add_argument("--peers", help="interpreter that has itk-elastix, SimpleITK and antspyx")
    asked = parser.parse_args()
    anatomy = anatomy_of(asked.anatomy)
    if asked.task in ("starts", "all"):
        starts(anatomy)
    if asked.task in ("seeds", "all"):
        seeds(anatomy, [0, 1, 2, 3])
    names = list(SIZES) if asked.task == "all" else [asked.task] if asked.task in SIZES else []
    if names:
        accuracy(names, anatomy, asked.peers)


if __name__ == "__main__":
    main()
