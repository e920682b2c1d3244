"""Small fusions, and the answers of a batch Gaussian process to compare with."""

import numpy as np
from scipy.linalg import expm

from scalebridge.fusion.fusion_model import FusionModel, kind_of
from scalebridge.fusion.fusion_problem import gather
from scalebridge.fusion.sensors import Sensor
from scalebridge.fusion.system import ORDERS


def small_sensors(seed=0, shape=(8, 8), factor=4, dates=6, gaps=0.3, **options):
    """A coarse sensor on every date and a fine one on every third, both with gaps, of a wandering field."""
    rng = np.random.default_rng(seed)
    days = np.cumsum(rng.integers(1, 4, dates)).astype(float)
    field = np.cumsum(rng.standard_normal((dates, *shape)) * 0.2, axis=0) + 2.0 + rng.standard_normal(shape)
    coarse = field.reshape(dates, shape[0] // factor, factor, shape[1] // factor, factor).mean(axis=(2, 4))
    coarse = coarse + 0.05 * rng.standard_normal(coarse.shape) + 0.3
    fine = field[::3] + 0.1 * rng.standard_normal(field[::3].shape)
    for array in (coarse, fine):
        array[rng.random(array.shape) < gaps] = np.nan
    told = {"bias": "ar1"} | options.pop("coarse", {})
    return [
        Sensor("coarse", coarse, dates=days, footprint=factor, **told),
        Sensor("fine", fine, dates=days[::3], **options),
    ]


def covariance_in_time(kind, gaps, values, period):
    """Covariance of a part's own value between dates, (dates, dates), by other formulas than the filter's."""
    t = np.concatenate([[0.0], np.cumsum(gaps)])
    std = float(values["std"])
    away = np.abs(t[:, None] - t[None])
    if kind == "static":
        return std**2 * np.ones_like(away)
    if kind == "random-walk":
        return float(values["start"]) ** 2 + std**2 * np.minimum(t[:, None], t[None])
    if kind == "ar1":
        return std**2 * np.exp(-away / float(values["time"]))
    if kind in ("matern-3/2", "matern-5/2"):
        scaled = np.sqrt(2 * ORDERS[kind] - 1) * away / float(values["time"])
        shape = 1 + scaled + (scaled**2 / 3 if kind == "matern-5/2" else 0)
        return std**2 * shape * np.exp(-scaled)
    if kind == "trend":
        early, late = np.minimum(t[:, None], t[None]), np.maximum(t[:, None], t[None])
        wander = std**2 * (early**2 * late / 2 - early**3 / 6)
        return float(values["start"]) ** 2 + float(values["slope"]) ** 2 * early * late + wander
    angle = 2 * np.pi / period
    turned = np.array([[expm(np.array([[0, angle], [-angle, 0]]) * (a - b))[0, 0] for b in t] for a in t])
    return turned * (float(values["start"]) ** 2 + std**2 * np.minimum(t[:, None], t[None]))


def correlation_in_space(problem, part, block, values):
    """Correlation of a part between all pixels: within footprints only."""
    shape = problem.grid.shape
    rows, columns = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    at = np.stack([rows.ravel(), columns.ravel()], axis=1)
    same = ((at[:, None] // np.array(block)) == (at[None] // np.array(block))).all(axis=2)
    distance = np.sqrt((((at[:, None] - at[None]) * problem.grid.edge) ** 2).sum(axis=2))
    space = problem.model.space_of(part)
    if space == "independent":
        return np.eye(len(at))
    scaled = distance / values[f"{part} length"]
    if space == "matern-3/2":
        scaled = scaled * np.sqrt(3)
        return same * (1 + scaled) * np.exp(-scaled)
    return same * np.exp(-scaled)


def correlation_of_bands(problem, part, values):
    """Correlation of two or three bands, by the textbook formula of partial correlations."""
    names = problem.band_names
    share = lambda a, b: (values[f"{part} ratio [{a}, {b}]"] - 1) / (values[f"{part} ratio [{a}, {b}]"] + 1)  # noqa: E731
    found = np.eye(len(names))
    for i in range(1, len(names)):
        found[0, i] = found[i, 0] = share(names[0], names[i])
    if len(names) == 3:
        a, b = found[0, 1:]
        found[1, 2] = found[2, 1] = share(*names[1:]) * np.sqrt((1 - a**2) * (1 - b**2)) + a * b
    return found


def design_of(problem, names):
    """What every number of the field has of the shared coefficients, (dates, pixels, coefficients)."""
    pixels = int(np.prod(problem.grid.shape))
    whole = np.zeros((len(problem.days), problem.pixels, len(names)))
    for place, band in enumerate([f" {b}" for b in problem.band_names] or [""]):
        own = slice(place * pixels, (place + 1) * pixels)
        whole[:, own, names.index(f"mean{band}")] = 1.0
        for name, z in problem.covariates.items():
            whole[:, own, names.index(f"{name}{band}")] = z
    return whole


def column_of(problem, names, observed, place, weights):
    """What one observation sees of the shared coefficients."""
    column = weights @ design_of(problem, names)[place]
    if f"{observed.name} bias" in names:
        column[names.index(f"{observed.name} bias")] = 1.0
    if observed.offset:
        column[names.index(f"{observed.name} offset {problem.date_text(place)}")] = 1.0
    return column


def batch_answer(problem, values, block):
    """Log-likelihood, mean and standard deviation of all pixels and dates by one dense Gaussian process."""
    days, pixels = problem.days, problem.pixels
    prior = np.zeros((len(days) * pixels,) * 2)
    for part in problem.model.parts:
        own = {k: values[f"{part} {k}"] for k in ("std", "time", "start", "slope") if f"{part} {k}" in values}
        if problem.labels:
            own["std"] = 1.0
        time = covariance_in_time(kind_of(part)[0], np.diff(days), own, problem.model.period)
        space = correlation_in_space(problem, part, block, values)
        if problem.bands:
            space = np.kron(correlation_of_bands(problem, part, values), space)
        if problem.labels:
            each = np.array([values[f"{part} std [{label}]"] for label in problem.labels])[problem.classes]
            space = space * each[:, None] * each[None]
        prior += np.kron(time, space)
    names = [name for name, _ in problem.coefficients]
    spread = np.array([values[p] if isinstance(p, str) else p for _, p in problem.coefficients])
    rows, extra, columns, size = [], [], [], len(names)
    for o in problem.observed:
        weights = o.sees.toarray()
        for t, r in np.argwhere(np.isfinite(o.values)):
            whole = np.zeros(len(days) * pixels)
            whole[t * pixels : (t + 1) * pixels] = weights[r]
            rows.append(whole)
            columns.append(column_of(problem, names, o, t, weights[r]))
            extra.append((o, t, r))
    seen = [o.values[t, r] for o, t, r in extra]
    H, X, y = np.array(rows), np.array(columns), np.array(seen)
    cov = H @ prior @ H.T + (X * spread**2) @ X.T
    for i, (o, t, r) in enumerate(extra):
        cov[i, i] += o.scale[t, r] * values[f"{o.name} noise"] ** 2
        for j, (p, u, s) in enumerate(extra):
            if p is o and r == s and o.bias != "none":
                fade = (
                    np.exp(-abs(days[t] - days[u]) / values[f"{o.name} bias time"])
                    if o.bias == "ar1"
                    else 1.0
                )
                cov[i, j] += values[f"{o.name} bias std"] ** 2 * fade
    field = design_of(problem, names).reshape(-1, size)
    cross = prior @ H.T + (field * spread**2) @ X.T
    solved = np.linalg.solve(cov, np.column_stack([y, cross.T]))
    log = -0.5 * (y @ solved[:, 0] + np.linalg.slogdet(cov)[1] + len(y) * np.log(2 * np.pi))
    variance = np.diag(prior) + (field**2) @ spread**2 - (cross * solved[:, 1:].T).sum(axis=1)
    shape = (len(days), *problem.field_shape)
    return log, (cross @ solved[:, 0]).reshape(shape), np.sqrt(variance).reshape(shape)


def known_problem(model=None, covariates=None, classes=None, seed=0, **options):
    """A small problem, and values for all its parameters."""
    problem = gather(small_sensors(seed=seed, **options), model or FusionModel(), None, covariates, classes)
    rng = np.random.default_rng(seed + 1)
    values = {p.name: p.median * float(np.exp(0.2 * rng.standard_normal())) for p in problem.parameters}
    return problem, values
