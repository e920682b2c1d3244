"""Models on servers, by UM-Bridge's protocol: JSON over HTTP, with the standard library.

A server that is gone is asked again for a while, with growing pauses, before an evaluation counts as failed;
so one that is started again is survived.

Source: Seelinger et al., UM-Bridge: Uncertainty quantification and modeling bridge, J. Open Source Softw. 8
(2023) 4748.
"""

import http.client
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError

PROTOCOL = 1.0
_FIRST_PAUSE = 0.05  # s, doubled each time


class UmBridgeModel:
    """A model on a server, called like a function: values (n,) -> answers (m,).

    Args:
        url: where the server is, "http://localhost:4242".
        name: of the model there; the only one unless given.
        config: settings that the model takes, sent with every question.
        timeout: s, of a single evaluation.
        patience: s, how long to go on asking a server that does not answer before the evaluation fails.

    Raises:
        InputError: no address, no server, no such model, or one that does not evaluate.

    Cost: a connection for each evaluation, about 1 ms on the same machine.
    """

    def __init__(
        self,
        url: str,
        name: str | None = None,
        *,
        config: dict[str, Any] | None = None,
        timeout: float = 3600.0,
        patience: float = 5.0,
    ):
        if (
            urllib.parse.urlsplit(url).scheme not in ("http", "https")
            or not urllib.parse.urlsplit(url).netloc
        ):
            raise InputError(
                "url",
                got=repr(url),
                wanted="an address 'http://host:port'",
                cure="say where the server listens",
            )
        for argument, number in (("timeout", timeout), ("patience", patience)):
            if not (math.isfinite(number) and number >= 0) or (argument == "timeout" and number == 0):
                raise InputError(argument, got=number, wanted="seconds", cure=f"pass {argument}=10")
        self.url, self.config = url.rstrip("/"), dict(config or {})
        self.timeout, self.patience = timeout, patience
        self.name = self._settle(name)
        support = self._refused("ModelInfo", {"name": self.name}).get("support", {})
        if not support.get("Evaluate", False):
            raise InputError(
                "name",
                got=f"'{self.name}', which does not evaluate",
                wanted="a model to ask",
                cure="choose another",
            )
        self.has_gradient = bool(support.get("Gradient", False))
        sizes = {"name": self.name, "config": self.config}
        self.input_sizes = tuple(int(n) for n in self._refused("InputSizes", sizes)["inputSizes"])
        self.output_sizes = tuple(int(n) for n in self._refused("OutputSizes", sizes)["outputSizes"])

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the answers at values; of several outputs one after the other."""
        told = self._ask(
            "Evaluate", {"name": self.name, "input": self._blocks(values), "config": self.config}
        )
        return np.concatenate([np.asarray(block, dtype=float) for block in told["output"]])

    def gradient(self, values: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
        """Return sensitivityᵀ d(answers)/d(values)."""
        parts = np.split(np.asarray(sensitivity, dtype=float), np.cumsum(self.output_sizes)[:-1])
        total = [np.zeros(size) for size in self.input_sizes]
        for row, part in enumerate(parts):
            for column in range(len(self.input_sizes)):
                question = {
                    "name": self.name,
                    "outWrt": row,
                    "inWrt": column,
                    "input": self._blocks(values),
                    "sens": part.tolist(),
                    "config": self.config,
                }
                total[column] += np.asarray(self._ask("Gradient", question)["output"], dtype=float)
        return np.concatenate(total)

    def _blocks(self, values: np.ndarray) -> list[list[float]]:
        flat = np.asarray(values, dtype=float).ravel()
        if flat.size != sum(self.input_sizes):
            raise InputError(
                f"level '{self.name}'",
                got=f"{flat.size} values",
                wanted=f"{sum(self.input_sizes)}, as the server says",
                cure="match the parameters to the model",
            )
        return [block.tolist() for block in np.split(flat, np.cumsum(self.input_sizes)[:-1])]

    def _settle(self, name: str | None) -> str:
        models = self._refused("Info", None).get("models", [])
        if name is None and len(models) == 1:
            return str(models[0])
        if name not in models:
            raise InputError(
                "name",
                got=repr(name),
                wanted=f"a model of {self.url}: {', '.join(map(str, models)) or 'there is none'}",
                cure="choose one of them",
            )
        return str(name)

    def _refused(self, verb: str, question: dict[str, Any] | None) -> dict[str, Any]:
        try:
            return self._ask(verb, question)
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(
                "url",
                got=f"'{self.url}', where no UM-Bridge server answers ({error})",
                wanted="a server that runs",
                cure="start it, or correct the address",
            ) from error

    def _ask(self, verb: str, question: dict[str, Any] | None) -> dict[str, Any]:
        """Ask, and ask again while the server cannot be reached.

        Raises:
            RuntimeError: the server says that it could not, or something that is not its protocol.
            OSError: it could not be reached for as long as `patience`.
        """
        until, pause = time.monotonic() + self.patience, _FIRST_PAUSE
        while True:
            try:
                return self._once(verb, question)
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() + pause > until:
                    raise OSError(f"{self.url} cannot be reached: {error}") from error
                time.sleep(pause)
                pause *= 2.0

    def _once(self, verb: str, question: dict[str, Any] | None) -> dict[str, Any]:
        data = None if question is None else json.dumps(question).encode()
        asked = urllib.request.Request(  # noqa: S310 (the scheme was looked at)
            f"{self.url}/{verb}", data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(asked, timeout=self.timeout) as answer:  # noqa: S310
                told = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise RuntimeError(_error_of(error.read(), f"status {error.code}")) from None
        except ValueError as error:
            raise RuntimeError(f"an answer that is not JSON: {error}") from error
        if not isinstance(told, dict) or "error" in told:
            raise RuntimeError(_error_of(json.dumps(told).encode(), "no table"))
        return told


def _error_of(body: bytes, otherwise: str) -> str:
    try:
        told = json.loads(body)["error"]
        return f"{told.get('type', 'error')}: {told.get('message', '')}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return otherwise
