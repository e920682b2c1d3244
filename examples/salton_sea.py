"""The Salton Sea in near infrared: daily coarse and rare fine scenes fused, contaminated ones left out.

A scene is held out and predicted with parameters that were learnt without it. Two days later there is a
contaminated one, which interpolation believes; the gate leaves it out. With --data the whole scene (keys
coarse, fine, dates) is used and every clear date is held out in turn, which takes minutes; with --store what
is finished is kept there, and a run that was stopped goes on.

Run: python examples/salton_sea.py
"""

import argparse
from pathlib import Path

import numpy as np

import scalebridge as sb

HELD = ("2020-12-26",)


def part() -> list[sb.Sensor]:
    """Return the sensors of the part that comes with the examples: 8 x 8 footprints of 7 x 7 pixels."""
    stored = np.load(Path(__file__).parent / "data" / "salton_sea.npz")
    values = {key: np.where(stored[key] < 0, np.nan, stored[key] / 1e4) for key in ("coarse", "fine")}
    return sensors(values["coarse"], stored["coarse_dates"], values["fine"], stored["fine_dates"])


def whole(path: str) -> tuple[list[sb.Sensor], list[str]]:
    """Return the sensors of the whole scene, and the dates to hold out: clear ones between others."""
    stored = np.load(path)
    dates, fine = stored["dates"].astype(str), stored["fine"].astype(float)
    share = np.isfinite(fine).mean(axis=(1, 2))
    seen = share > 0
    clear = [d for t, d in enumerate(dates) if share[t] > 0.9 and 5 < t < 87 and d != "2020-11-26"]
    return sensors(stored["coarse"].astype(float), dates, fine[seen], dates[seen]), clear


def sensors(coarse: np.ndarray, days: np.ndarray, fine: np.ndarray, fine_days: np.ndarray) -> list[sb.Sensor]:
    """Return VIIRS with a drifting bias for each footprint, and HLS with an offset for each scene."""
    return [
        sb.Sensor("VIIRS", coarse, dates=days, footprint=7, bias="ar1"),
        sb.Sensor("HLS", fine, dates=fine_days, offset=True),
    ]


def main() -> None:
    """Fuse, hold out, print, and write a page where that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="the whole scene, .npz")
    parser.add_argument("--store", help="folder of finished work")
    parser.add_argument("--report", help="write a page, .html")
    asked = parser.parse_args()
    seen, held = (part(), list(HELD)) if asked.data is None else whole(asked.data)
    footprints = 16 if asked.data is None else 40
    model = sb.FusionModel(space="matern-3/2")
    found = sb.fuse(seen, model, hold_out=held, footprints=footprints, calibrate=True, store=asked.store)
    print(found)
    skill = found.skill
    print(f"RMSE {skill['rmse']:.4f}, interpolated {skill['linear interpolation']:.4f}")
    gated = {g.date for g in found.gated}
    if "2020-11-26" not in gated or skill["rmse"] >= skill["linear interpolation"]:
        raise SystemExit("the scene under cloud was not found, or interpolation was better")
    if asked.report:
        sb.report(found, asked.report)


if __name__ == "__main__":
    main()
