"""A MONAI Label server as a process of its own, and what a client asks it over HTTP."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from email.parser import BytesParser
from pathlib import Path
from urllib.parse import quote

PATIENCE = 240  # seconds for a start or a training on a slow machine


class LabelServer:
    """Start with ``with``; every method is one request."""

    def __init__(
        self, app: Path, studies: Path, port: int, log: Path, models: str, *, patience: int = PATIENCE
    ) -> None:
        self.patience = patience
        self.url = f"http://127.0.0.1:{port}"
        self.studies = studies
        self.log_file = log
        self.line = [sys.executable, "-m", "monailabel.main", "start_server", "--app", str(app), "--studies",
                     str(studies), "--host", "127.0.0.1", "--port", str(port), "--conf", "models", models,
                     "--conf", "zoo_source", "local", "--conf", "sam2", "false"]  # fmt: skip

    def __enter__(self) -> "LabelServer":
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment["OMP_NUM_THREADS"] = "1"
        self.stream = open(self.log_file, "wb")  # noqa: SIM115 - open as long as the process
        self.process = subprocess.Popen(
            self.line, cwd=self.log_file.parent, env=environment, stdout=self.stream, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + self.patience
        while True:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()[-3000:]
            try:
                self.info()
                return self
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.3)

    def __exit__(self, *_) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.stream.close()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def info(self) -> dict:
        return json.loads(self._ask("GET", "/info/")[1])

    def infer(self, model: str, image: str, params: dict | None = None, *, output: str = "all"):
        """Status and answer: parts of a label map (bytes) and its parameters, or the JSON."""
        fields = {"params": json.dumps(params or {})}
        status, body, kind = self._ask("POST", f"/infer/{model}?image={quote(image)}&output={output}", fields)
        if kind.startswith("multipart"):
            message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
            parts = {
                part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
                for part in message.get_payload()
            }
            return status, {"image": parts["image"], "params": json.loads(parts["params"])}
        return status, body if kind.startswith("application/gzip") else json.loads(body) if body[:1] == b"{" else body

    def save_label(self, image: str, label: Path) -> dict:
        status, body, _ = self._ask("PUT", f"/datastore/label?image={image}&tag=final", {"params": "{}"}, label)
        assert status == 200, body
        return json.loads(body)

    def remove_label(self, image: str) -> None:
        assert self._ask("DELETE", f"/datastore/label?id={image}&tag=final")[0] == 200

    def run_task(self, path: str, params: dict) -> dict:
        """Start a training or a batch and wait for its end; returns its status."""
        status, body, _ = self._ask("POST", path, json.dumps(params).encode())
        assert status == 200, body
        task = "/train/" if path.startswith("/train") else "/batch/infer"
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            state = json.loads(self._ask("GET", task)[1])
            if state["status"] in ("DONE", "ERROR"):
                return state
            time.sleep(0.3)
        raise AssertionError(f"{path} did not end:\n{self.log()[-3000:]}")

    def _ask(self, method: str, path: str, content=None, file: Path | None = None) -> tuple[int, bytes, str]:
        headers, data = {}, content
        if isinstance(content, bytes):
            headers["Content-Type"] = "application/json"
        elif content is not None:
            mark = uuid.uuid4().hex
            headers["Content-Type"] = f"multipart/form-data; boundary={mark}"
            parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
                     for key, value in content.items()]  # fmt: skip
            if file is not None:
                head = f'--{mark}\r\nContent-Disposition: form-data; name="label"; filename="{file.name}"\r\n\r\n'
                parts.append(head.encode() + file.read_bytes() + b"\r\n")
            data = b"".join(parts) + f"--{mark}--\r\n".encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self.patience) as answer:
                return answer.status, answer.read(), answer.headers.get("Content-Type", "")
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers.get("Content-Type", "")
