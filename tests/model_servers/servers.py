"""The real model servers of tests/model_servers/make.sh: started on loopback, stopped by pid.

Without its environment a test skips by the server's name; in CI that is a failure.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import free_port

# Read at import: the shared fixtures take every MIDWATCH_ variable away before a test runs.
ROOT = Path(
    os.environ.get("MIDWATCH_MODEL_SERVERS")
    or Path(os.environ.get("HOME", "/")) / ".cache" / "midwatch-model-servers"
)
START_SECONDS = 180.0


def require_server(name: str) -> Path:
    """Return the environment of one server; skip by its name without it, fail in CI."""
    place = ROOT / name
    if (place / ".made").exists():
        return place
    message = f"needs the model server {name}; make it with tests/model_servers/make.sh {name}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def _running(
    argv: Sequence[str | Path],
    ready_url: str,
    folder: Path,
    environ: Mapping[str, str] | None = None,
) -> Iterator[None]:
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in argv],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environ or {})},
            start_new_session=True,
        )
        try:
            _wait(process, ready_url, log)
            yield
        finally:
            _stop(process)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    pytest.fail(f"{process.args!r} did not come up:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    # Each server leads a process group of its own, so its workers go with it.
    for number in (15, 9):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
            if number == 9:
                return
    process.wait(10)


def post(url: str, document: object) -> object:
    """Send JSON the plain way, to set a server up; raises on an error answer."""
    request = urllib.request.Request(
        url, json.dumps(document).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or b"null")


def get(url: str) -> dict[str, Any]:
    """Read a JSON object the plain way; raises on an error answer."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def status_of(url: str) -> int:
    """Return only the HTTP status of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@contextmanager
def mlserver(folder: Path, model: str, metrics_port: int | None = None) -> Iterator[str]:
    """Run MLServer with one model that echoes, and refuses the id ``no``; yield its base URL."""
    place, port = require_server("mlserver"), free_port()
    (folder / model).mkdir()
    (folder / model / "echo_model.py").write_text(
        "from mlserver import MLModel\n"
        "from mlserver.errors import InferenceError\n"
        "from mlserver.types import InferenceRequest, InferenceResponse\n"
        "class Echo(MLModel):\n"
        "    async def load(self) -> bool:\n"
        "        return True\n"
        "    async def predict(self, payload: InferenceRequest) -> InferenceResponse:\n"
        "        if payload.id == 'no':\n"
        "            raise InferenceError('no')\n"
        "        return InferenceResponse(model_name=self.name, outputs=[])\n"
    )
    (folder / model / "model-settings.json").write_text(
        json.dumps({"name": model, "implementation": "echo_model.Echo"})
    )
    ports = {
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": metrics_port or free_port(),
    }
    (folder / "settings.json").write_text(
        json.dumps({"host": "127.0.0.1", "parallel_workers": 0, **ports})
    )
    url = f"http://127.0.0.1:{port}"
    argv: list[str | Path] = [place / "bin" / "mlserver", "start", "."]
    with _running(argv, f"{url}/v2/health/ready", folder):
        yield url


@contextmanager
def triton(folder: Path, model: str, metrics_port: int | None = None) -> Iterator[str]:
    """Run Triton in explicit mode with one Python model that echoes; yield its base URL."""
    place, port = require_server("triton"), free_port()
    packages = next(place.glob("lib/python3*/site-packages"))
    shipped = packages / "pytriton" / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    backend = folder / "backends" / "python"
    shutil.copytree(shipped / "backends" / "python", backend)
    stub = backend / "triton_python_backend_stub"
    shutil.copy(shipped / "python_backend_stubs" / version / stub.name, stub)
    stub.chmod(0o755)
    code = folder / "models" / model / "1"
    code.mkdir(parents=True)
    (code.parent / "config.pbtxt").write_text(
        f'name: "{model}"\nbackend: "python"\n'
        'input [{ name: "IN", data_type: TYPE_FP32, dims: [ 1 ] }]\n'
        'output [{ name: "OUT", data_type: TYPE_FP32, dims: [ 1 ] }]\n'
        "instance_group [{ kind: KIND_CPU }]\n"
    )
    (code / "model.py").write_text(
        "import triton_python_backend_utils as pb_utils\n"
        "class TritonPythonModel:\n"
        "    def execute(self, requests):\n"
        "        return [self.echo(request) for request in requests]\n"
        "    def echo(self, request):\n"
        "        given = pb_utils.get_input_tensor_by_name(request, 'IN').as_numpy()\n"
        "        return pb_utils.InferenceResponse([pb_utils.Tensor('OUT', given)])\n"
    )
    url = f"http://127.0.0.1:{port}"
    argv: list[str | Path] = [
        shipped / "bin" / "tritonserver",
        f"--model-repository={folder / 'models'}",
        f"--backend-directory={folder / 'backends'}",
        "--model-control-mode=explicit",
        f"--load-model={model}",
        "--http-address=127.0.0.1",
        f"--http-port={port}",
        "--allow-grpc=false",
        *_triton_metrics(metrics_port),
    ]
    environ = {
        "LD_LIBRARY_PATH": str(packages / "nvidia_pytriton.libs"),
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
    }
    with _running(argv, f"{url}/v2/health/ready", folder, environ):
        yield url


def _triton_metrics(port: int | None) -> list[str]:
    if port is None:
        return ["--allow-metrics=false"]
    return [
        f"--metrics-port={port}",
        "--allow-gpu-metrics=false",
        "--metrics-config=summary_latencies=true",
        "--metrics-interval-ms=500",
    ]


@contextmanager
def mlflow(folder: Path) -> Iterator[str]:
    """Run an MLflow tracking server on SQLite; yield its base URL."""
    place, port = require_server("mlflow"), free_port()
    url = f"http://127.0.0.1:{port}"
    argv: list[str | Path] = [place / "bin" / "mlflow", "server", "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--workers", "1"]
    argv += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    argv += ["--artifacts-destination", str(folder / "artifacts")]
    # Its runner of background jobs doubles the time to start, and no test asks for a job.
    environ = {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with _running(argv, f"{url}/health", folder, environ):
        yield url


@contextmanager
def envoy(folder: Path, cluster: str, max_requests: int | None = None) -> Iterator[str]:
    """Run Envoy with an admin interface and one cluster; yield the admin's base URL."""
    place, port = require_server("envoy"), free_port()
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9}}}
    declared: dict[str, object] = {
        "name": cluster,
        "connect_timeout": "1s",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": cluster,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }
    if max_requests is not None:
        declared["circuit_breakers"] = {"thresholds": [{"max_requests": max_requests}]}
    layers = [{"name": "static", "static_layer": {}}, {"name": "admin", "admin_layer": {}}]
    config = {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}},
        "layered_runtime": {"layers": layers},
        "static_resources": {"clusters": [declared]},
    }
    (folder / "envoy.json").write_text(json.dumps(config))
    url = f"http://127.0.0.1:{port}"
    argv: list[str | Path] = [place / "bin" / "envoy", "-c", folder / "envoy.json"]
    argv += ["--log-level", "warn", "--concurrency", "1", "--use-dynamic-base-id"]
    with _running(argv, f"{url}/ready", folder):
        yield url


@contextmanager
def sglang_router(folder: Path, workers: Sequence[str]) -> Iterator[str]:
    """Run SGLang's router before ``workers``; yield its base URL."""
    place, port = require_server("sglang-router"), free_port()
    url = f"http://127.0.0.1:{port}"
    argv: list[str | Path] = [place / "bin" / "python", "-m", "sglang_router.launch_router"]
    argv += ["--host", "127.0.0.1", "--port", str(port), "--prometheus-port", str(free_port())]
    argv += ["--policy", "round_robin", "--worker-urls", *workers]
    with _running(argv, f"{url}/health", folder):
        # It calls itself healthy before it has looked at its workers.
        _wait_for_workers(url, workers)
        yield url


def _wait_for_workers(url: str, workers: Sequence[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        listed = get(f"{url}/workers")["workers"]
        if {one["url"] for one in listed if one["is_healthy"]} >= set(workers):
            return
        time.sleep(0.1)
    pytest.fail(f"the router never found its workers {workers}: {listed}")


@contextmanager
def sglang_worker() -> Iterator[str]:
    """Answer the router's questions to a worker, the way an SGLang server does; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"status": "ok", "model_path": "m", "is_generation": True}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(5)
