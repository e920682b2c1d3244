"""Our own models on a server that others can ask, by UM-Bridge's protocol, with the standard library."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.inference.umbridge import PROTOCOL


@dataclass(frozen=True)
class Served:
    """A model as a server offers it.

    Args:
        model: values (n,) -> answers (m,).
        inputs: n.
        outputs: m.
        gradient: (values, sensitivity) -> sensitivityᵀ d(answers)/d(values), or None.
    """

    model: Callable[[np.ndarray], Any]
    inputs: int
    outputs: int
    gradient: Callable[[np.ndarray, np.ndarray], Any] | None = None


class _QuestionError(ValueError):
    """A question that cannot be answered, with UM-Bridge's name for why."""

    def __init__(self, kind: str, said: str):
        super().__init__(said)
        self.kind = kind


def make_server(
    models: Mapping[str, Served], *, host: str = "localhost", port: int = 4242
) -> ThreadingHTTPServer:
    """Return a server that answers for models; `serve_forever` runs it.

    Args:
        models: by name.
        host: where to listen; "localhost" keeps it to this machine.
        port: 0 takes a free one, which is then `server.server_address[1]`.

    Raises:
        InputError: no model, or the port is taken.
    """
    if not models:
        raise InputError("models", got="none", wanted="models by name", cure="pass {'forward': Served(...)}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._say(*_reply(models, self.path, {}))

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                question = json.loads(body or b"{}")
            except ValueError:
                self._say(400, _error("InvalidInput", "the body is not JSON"))
                return
            self._say(*_reply(models, self.path, question if isinstance(question, dict) else {}))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (named by the standard library)
            """Say nothing; what fails is told to who asked."""

        def _say(self, status: int, told: dict[str, Any]) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    try:
        return ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise InputError(
            "port",
            got=f"{port} ({error.strerror})",
            wanted="a free port",
            cure="pass port=0 for any free one",
        ) from error


@contextmanager
def serving(models: Mapping[str, Served], *, host: str = "localhost", port: int = 0) -> Iterator[str]:
    """Yield the address of a server that runs in a thread, and stop it in the end.

    Example:
        >>> from scalebridge.inference.umbridge import UmBridgeModel
        >>> with serving({"double": Served(lambda x: 2 * x, 2, 2)}) as url:
        ...     UmBridgeModel(url)(np.array([1.0, 4.0])).tolist()
        [2.0, 8.0]
    """
    server = make_server(models, host=host, port=port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _reply(models: Mapping[str, Served], path: str, question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return status and answer of a question."""
    verb = path.strip("/")
    if verb == "Info":
        return 200, {"protocolVersion": PROTOCOL, "models": list(models)}
    if verb not in _VERBS:
        return 404, _error("UnsupportedFeature", f"there is no /{verb}")
    name = str(question.get("name"))
    if name not in models:
        return 400, _error("ModelNotFound", f"there is no model {name!r}")
    try:
        return 200, _VERBS[verb](models[name], question)
    except _QuestionError as error:
        return 400, _error(error.kind, str(error))
    except Exception as error:  # a model may raise what it likes; who asked is told
        return 500, _error("InternalError", f"{type(error).__name__}: {error}")


def _info(served: Served, _: dict[str, Any]) -> dict[str, Any]:
    able = {"Evaluate": True, "Gradient": served.gradient is not None}
    return {"support": {**able, "ApplyJacobian": False, "ApplyHessian": False}}


def _evaluate(served: Served, question: dict[str, Any]) -> dict[str, Any]:
    found = np.asarray(served.model(_values(served, question)), dtype=float).ravel()
    if found.size != served.outputs:
        raise _QuestionError("InvalidOutput", f"{found.size} answers where {served.outputs} were promised")
    return {"output": [found.tolist()]}


def _gradient(served: Served, question: dict[str, Any]) -> dict[str, Any]:
    if served.gradient is None:
        raise _QuestionError("UnsupportedFeature", "this model has no gradient")
    sensitivity = _numbers(question.get("sens"), served.outputs, "sens")
    return {
        "output": np.asarray(served.gradient(_values(served, question), sensitivity), dtype=float).tolist()
    }


def _values(served: Served, question: dict[str, Any]) -> np.ndarray:
    blocks = question.get("input")
    if not isinstance(blocks, list) or len(blocks) != 1:
        raise _QuestionError("InvalidInput", "input: one list of numbers in a list was wanted")
    return _numbers(blocks[0], served.inputs, "input")


def _numbers(given: Any, count: int, name: str) -> np.ndarray:
    try:
        found = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        found = np.zeros((0, 0))
    if found.shape != (count,):
        raise _QuestionError("InvalidInput", f"{name}: {count} numbers were wanted")
    return found


def _error(kind: str, said: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": said}}


_VERBS: dict[str, Callable[[Served, dict[str, Any]], dict[str, Any]]] = {
    "ModelInfo": _info,
    "InputSizes": lambda served, _: {"inputSizes": [served.inputs]},
    "OutputSizes": lambda served, _: {"outputSizes": [served.outputs]},
    "Evaluate": _evaluate,
    "Gradient": _gradient,
}
