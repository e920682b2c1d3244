"""`python -m benchmarks.klinkenberg_pairs --pairs core.csv`: gas slippage of plugs beside that of pores.

A core laboratory gives the permeability of a plug to gas, Kg, and Klinkenberg's limit for a liquid, Kl, so
that Kg/Kl - 1 = b/p at the mean pressure of its test. Of a pore structure of a given shape, whatever its
size, the cell problem gives the number

    C = (dK/dslip) / sqrt(K),        so that        Kg/Kl - 1 = C x slip length / sqrt(Kl)

at first order. Here this is set beside the pairs; nothing is fitted to them. What the table of a well does
not say is gas and pressure of the tests: nitrogen at 1 atm and 25 degrees unless told otherwise. For straight
pipes C = sqrt(2 porosity) / tortuosity, for slits sqrt(3 porosity) / tortuosity.

How far pairs scatter about one smooth curve of Kl is told too: pairs that nearly lie on a curve may have been
corrected by a formula, and then say less about each plug than their number suggests.
"""

import argparse
import csv
import itertools
import math
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.table import markdown
from scalebridge.cells.gas_slip import GasSlip, gas_slip
from scalebridge.cells.permeability import permeability
from scalebridge.cells.slip_curve import SlipCurve, curve_of
from scalebridge.core.units import DARCY, parse_quantity

_DECADES = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5)  # mD


def read_pairs(path: Path, gas: str, liquid: str, porosity: str) -> dict[str, np.ndarray]:
    """Return permeabilities to gas and liquid in mD, and porosities (NaN if missing), of complete pairs."""
    rows = [
        (float(row[gas]), float(row[liquid]), float(row[porosity] or "nan") / 100.0)
        for row in csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        if row[gas] and row[liquid]
    ]
    return dict(zip(("gas", "liquid", "porosity"), np.array(rows).T, strict=True))


def shape_number(permeability: float, slope: float) -> float:
    """Return C of a pore structure from its permeability and the derivative by the slip length."""
    return slope / math.sqrt(permeability)


def rock_curve(path: Path, voxel: str, crop: list[int], longest: float, rtol: float) -> SlipCurve:
    """Return K(slip length) of a crop of a segmented rock, 0 in the pores, on smooth walls.

    Args:
        path: the image, TIFF.
        voxel: edge of a voxel with its unit.
        crop: low corner and edge in voxels, (x, y, z, edge).
        longest: the longest slip length, m; the others are a quarter and a half of it.
        rtol: relative error of each tensor.
    """
    *corner, edge = crop
    volume = np.transpose(tifffile.imread(path), (2, 1, 0)) == 0
    pores = np.ascontiguousarray(volume[tuple(slice(low, low + edge) for low in corner)])
    found = permeability(
        pores,
        voxel=voxel,
        walls="smooth",
        slip_curve=[longest / 4, longest / 2, longest],
        rtol=rtol,
        budget="none",
    )
    for check in found.checks:
        print(check)
    return curve_of(found)


def curve_table(curve: SlipCurve, gas: GasSlip) -> str:
    """Return K(p)/K of a gas along the curve and by Klinkenberg, at pressures that the curve reaches."""
    rows, still = [], np.diagonal(curve.values[0])
    b = gas.klinkenberg(still, np.diagonal(curve.slopes[0]))
    for share in (0.05, 0.125, 0.25, 0.5, 1.0):
        pressure = gas.slip_length * gas.pressure / (share * curve.lengths[-1])
        ratio = np.diagonal(gas.along(curve, pressure)) / still
        told = [f"{value:.4f}" for value in (float(np.mean(ratio)), float(np.mean(1 + b / pressure)))]
        rows.append([f"{pressure / 1e5:.3g}", f"{share * curve.lengths[-1] * 1e9:.3g}", *told])
    return markdown(("p, bar", "slip length, nm", "K(p)/K, curve", "1 + b/p"), rows)


def predicted(liquid: np.ndarray, number: np.ndarray | float, length: float) -> np.ndarray:
    """Return Kg/Kl - 1 for plugs of a shape number, at a slip length in m."""
    return number * length / np.sqrt(liquid * 1e-3 * DARCY)


def power_law(liquid: np.ndarray, excess: np.ndarray) -> tuple[float, float, float]:
    """Return the exponent of excess against Kl, its standard error, and the excess at 1 mD."""
    x, y = np.log(liquid), np.log(excess)
    (slope, start), covariance = np.polyfit(x, y, 1, cov=True)
    return float(slope), math.sqrt(covariance[0, 0]), math.exp(start)


def scatter(liquid: np.ndarray, excess: np.ndarray, degree: int = 5) -> float:
    """Return the standard deviation of log excess about a smooth curve of log Kl."""
    x, y = np.log(liquid), np.log(excess)
    curve = np.polynomial.Polynomial.fit(x, y, degree)
    return float(np.std(y - curve(x), ddof=degree + 1))


def compared(
    pairs: dict[str, np.ndarray], numbers: dict[str, np.ndarray | float], length: float
) -> tuple[str, list[str]]:
    """Return a table by decades of Kl, and what is to be said of the whole."""
    excess = pairs["gas"] / pairs["liquid"] - 1
    seen = np.isfinite(excess) & (excess > 0)
    columns = {name: predicted(pairs["liquid"], number, length) for name, number in numbers.items()}
    rows = []
    for low, high in itertools.pairwise(_DECADES):
        inside = seen & (pairs["liquid"] >= low) & (pairs["liquid"] < high)
        if inside.any():
            told = [f"{np.nanmedian(column[inside]):.3f}" for column in columns.values()]
            measured = f"{np.median(excess[inside]):.3f}"
            rows.append([f"{low:g} to {high:g}", str(np.count_nonzero(inside)), measured, *told])
    head = ("Kl, mD", "pairs", "measured Kg/Kl - 1 (median)", *columns)
    liquid = pairs["liquid"]
    exponent, error, start = power_law(liquid[seen], excess[seen])
    notes = [
        f"{excess.size} pairs; in {np.count_nonzero(excess > 0)} the gas finds the plug more permeable.",
        f"Measured: Kg/Kl - 1 = {start:.3f} (Kl / mD)^({exponent:.3f} ± {error:.3f}). Pores of one shape and "
        "different size would have the exponent -1/2.",
        f"About one smooth curve of Kl they scatter by {100 * scatter(liquid[seen], excess[seen]):.1f} %.",
    ]
    for name, column in columns.items():
        known = seen & np.isfinite(column)
        ratio = excess[known] / column[known]
        low, middle, high = np.percentile(ratio, [16, 50, 84])
        notes.append(f"Measured over {name}: median {middle:.2f}, 68 % within {low:.2f} to {high:.2f}.")
    return markdown(head, rows), notes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.klinkenberg_pairs", description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="a CSV file with one plug a row")
    parser.add_argument(
        "--columns", nargs=3, default=["CKHG", "CKHL", "CPOR"], help="gas, liquid, porosity in %%"
    )
    parser.add_argument("--gas", default="nitrogen")
    parser.add_argument("--pressure", default="1 atm", help="mean pressure of the tests")
    parser.add_argument("--tortuosity", type=float, default=2.0**0.5, help="of the pipes and slits")
    parser.add_argument(
        "--image-number", type=float, help="C of an image: (dK/dslip) / sqrt(K), from `permeability`"
    )
    parser.add_argument("--image", type=Path, help="a segmented rock, TIFF, 0 in the pores: its C is taken")
    parser.add_argument("--voxel", default="3 um", help="edge of its voxels")
    parser.add_argument("--crop", type=int, nargs=4, default=[0, 0, 0, 64], help="low corner and edge")
    parser.add_argument("--longest", default="2 um", help="longest slip length of its curve")
    chosen = parser.parse_args()
    pairs = read_pairs(chosen.pairs, *chosen.columns)
    gas = gas_slip(chosen.gas, pressure=chosen.pressure)
    numbers: dict[str, np.ndarray | float] = {
        "pipes": np.sqrt(2 * pairs["porosity"]) / chosen.tortuosity,
        "slits": np.sqrt(3 * pairs["porosity"]) / chosen.tortuosity,
    }
    if chosen.image_number is not None:
        numbers["the image"] = chosen.image_number
    if chosen.image is not None:
        longest = parse_quantity(chosen.longest, "m", "--longest")
        curve = rock_curve(chosen.image, chosen.voxel, chosen.crop, longest, 1e-3)
        still, rise = np.diagonal(curve.values[0]), np.diagonal(curve.slopes[0])
        numbers["the rock"] = shape_number(float(still.mean()), float(rise.mean()))
        b = gas.klinkenberg(still, rise) / 1e5
        print(f"\nK, mD: {still / DARCY * 1e3}; b of {gas.gas}, bar: {b}; C = {numbers['the rock']:.3f}")
        print(f"\n{curve_table(curve, gas)}\n")
    table, notes = compared(pairs, numbers, gas.slip_length)
    print(f"{gas}\n\n{table}\n")
    for note in notes:
        print(f"- {note}")


if __name__ == "__main__":
    main()
