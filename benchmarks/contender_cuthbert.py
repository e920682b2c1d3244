"""cuthbert on the toy of `benchmarks.fusion`, in an environment of its own; prints JSON.

Called by `benchmarks.fusion` with TOY.npz (seen, observe, start, innovation, noise) and OUT.npz. Footprints
are mapped one after the other (`lax.map`), since batched factorisations under `vmap` may hang on a processor.
The first call, which compiles, is told apart.
"""

import json
import sys
import time

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402 (64 bits are decided first)
import numpy as np  # noqa: E402
from cuthbert import filter as run_filter  # noqa: E402
from cuthbert import smoother as run_smoother  # noqa: E402
from cuthbert.gaussian import kalman  # noqa: E402


def main():
    told = np.load(sys.argv[1])
    seen, observe = jnp.asarray(told["seen"]), jnp.asarray(told["observe"])
    states, dates = observe.shape[1], seen.shape[1]
    start, innovation = (jnp.linalg.cholesky(jnp.asarray(told[name])) for name in ("start", "innovation"))
    noise = jnp.diag(jnp.sqrt(jnp.asarray(told["noise"])))
    eye, none = jnp.eye(states), jnp.zeros(states)

    def smooth(footprint):
        def move(t):  # the first date is the prior's own
            return eye, none, jnp.where(t == 1, 0.0, 1.0) * innovation

        def see(t):
            return observe, jnp.zeros(len(observe)), noise, footprint[t - 1]

        forwards = kalman.build_filter(none, start, move, see)
        kept = run_filter(forwards, jnp.arange(1, dates + 1), forwards.init_prepare())
        found = run_smoother(kalman.build_smoother(move), kept)
        variance = jnp.einsum("tij,tij->ti", found.chol_cov, found.chol_cov)
        return found.mean[1:], variance[1:], kept.log_normalizing_constant[-1]

    run = jax.jit(lambda values: jax.lax.map(smooth, values))
    seconds = []
    for _ in range(2):
        began = time.process_time()
        mean, variance, log = jax.block_until_ready(run(seen))
        seconds.append(time.process_time() - began)
    np.savez(sys.argv[2], mean=mean, variance=variance, log=float(log.sum()))
    sys.stdout.write(json.dumps({"first": seconds[0], "seconds": seconds[1]}) + "\n")


if __name__ == "__main__":
    main()
