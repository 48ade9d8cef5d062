"""scripts/setup where only some certificate authority of one's own vouches for the package index."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import ssl
import subprocess
import sys
import threading
import venv
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from stat import S_IFREG
from typing import NamedTuple

import pytest
import trustme

ROOT = Path(__file__).parent.parent
# What the script runs beside uv and Python.
TOOLS = ("dirname", "sed", "sh", "uname")
BACKEND = """
import base64, hashlib, zipfile

def build_editable(directory, config_settings=None, metadata_directory=None):
    name, about = "shop-1.0-py3-none-any.whl", "shop-1.0.dist-info"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\\nName: shop\\nVersion: 1.0\\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{about}/RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "shop"
version = "1.0"
"""


def wheel_of(name: str, script: str = "") -> bytes:
    """A package that has nothing in it but, at most, a command of its own name."""
    about = f"{name}-1.0.dist-info"
    files = {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **({f"{name}-1.0.data/scripts/{name}": script} if script else {}),
    }
    lines = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in files.items()]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as wheel:
        for path, text in {**files, f"{about}/RECORD": "\n".join([*lines, f"{about}/RECORD,,", ""])}.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (S_IFREG | 0o755) << 16
            wheel.writestr(entry, text)
    return made.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


# It stands in for uv where pip brings that, and writes down how it is called.
RECORDER = '#!/bin/sh\necho "$@" >>calls.txt\n'
WHEELS = {"tiny": wheel_of("tiny"), "uv": wheel_of("uv", RECORDER)}


class Page(BaseHTTPRequestHandler):
    """One of an index of packages."""

    def do_GET(self) -> None:
        place, name = self.path.strip("/").split("/")
        name = name.partition("-")[0]
        digest = hashlib.sha256(WHEELS[name]).hexdigest()
        file = f"{name}-1.0-py3-none-any.whl"
        body = WHEELS[name] if place == "files" else f'<a href="/files/{file}#sha256={digest}">{file}</a>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if place == "simple" else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - as the server calls it

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


class Index(NamedTuple):
    """An index of packages, and what is to be trusted to ask it."""

    url: str
    file: Path
    folder: Path


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """On loopback, with a certificate of an authority that nobody else knows."""
    authority, place = trustme.CA(), tmp_path_factory.mktemp("trusted")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    file, folder = place / "authority.pem", place / "folder"
    authority.cert_pem.write_to_path(str(file))
    folder.mkdir()
    # By the hash of its subject, as OpenSSL looks it up.
    asked = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(file)]
    name = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    shutil.copy(file, folder / f"{name}.0")
    yield Index(f"https://localhost:{server.server_port}/simple", file, folder)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def with_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has pip, which takes seconds to make."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=True, symlinks=True)
    return place


class Checkout:
    """A project that is set up by our script, with nothing in the environment but what a test puts there."""

    def __init__(self, place: Path, index: Index) -> None:
        self.place = place
        self._index = index
        (place / "scripts").mkdir(parents=True)
        (place / "tools").mkdir()
        shutil.copy(ROOT / "scripts" / "setup", place / "scripts" / "setup")
        (place / "backend.py").write_text(BACKEND)
        (place / "pyproject.toml").write_text(PROJECT)
        self.pin({name: hashlib.sha256(wheel).hexdigest() for name, wheel in WHEELS.items()})
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (place / "tools" / tool).symlink_to(found)

    def pin(self, digests: dict[str, str]) -> None:
        lines = [f"{name}==1.0 \\\n    --hash=sha256:{digest}\n    # via shop\n" for name, digest in digests.items()]
        (self.place / "requirements-dev.txt").write_text("".join(lines))

    def bring_uv(self) -> None:
        """Put the real one on the PATH."""
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        assert uv, "scripts/setup leaves one here or finds one"
        (self.place / "tools" / "uv").symlink_to(uv)

    def bring_pip(self, environment: Path) -> None:
        """Have the script find an environment that it made before."""
        shutil.copytree(environment, self.place / ".venv", symlinks=True)

    def set_up(self, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {
            "PATH": str(self.place / "tools"),
            "HOME": str(self.place),
            "PYTHON": sys.executable,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": self._index.url,
            "PIP_RETRIES": "0",
            "UV_INDEX_URL": self._index.url,
            "UV_DEFAULT_INDEX": self._index.url,
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(self.place / "cache"),
            "UV_HTTP_RETRIES": "0",
        }
        return subprocess.run(
            ["/bin/sh", "scripts/setup"],
            cwd=self.place,
            env=own | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def installed(self) -> set[str]:
        return {path.name.partition("-")[0] for path in self.place.glob(".venv/lib/python*/site-packages/*.dist-info")}


@pytest.fixture
def checkout(tmp_path: Path, index: Index) -> Checkout:
    return Checkout(tmp_path / "checkout", index)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_uv_trusts_what_the_environment_says(checkout: Checkout, index: Index, name: str) -> None:
    """By whichever variable, though uv knows two of them alone."""
    checkout.bring_uv()

    done = checkout.set_up(**{name: str(index.folder if name.endswith("DIR") else index.file)})

    assert (done.returncode, done.stderr) == (0, "setting up .venv ...\n")
    assert checkout.installed == {"shop", "tiny", "uv"}


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT", "REQUESTS_CA_BUNDLE"])
def test_pip_trusts_it_too_and_brings_the_pinned_uv(
    checkout: Checkout, index: Index, with_pip: Path, name: str
) -> None:
    """Where there is no uv; that one is told to bring the rest."""
    checkout.bring_pip(with_pip)

    done = checkout.set_up(**{name: str(index.folder if name.endswith("DIR") else index.file)})

    assert (done.returncode, done.stderr) == (0, "setting up .venv ...\n")
    assert checkout.installed >= {"uv"}
    first, second = (checkout.place / "calls.txt").read_text().splitlines()
    assert first.endswith("--require-hashes -r requirements-dev.txt")
    assert second.endswith("--no-deps --no-build-isolation -e .")


@pytest.mark.parametrize("has_uv", [True, False])
def test_an_authority_that_nobody_trusts_is_refused(checkout: Checkout, with_pip: Path, *, has_uv: bool) -> None:
    """Certificates are verified, whoever asks."""
    checkout.bring_pip(with_pip)
    if has_uv:
        checkout.bring_uv()

    done = checkout.set_up()

    assert done.returncode != 0
    assert "certificate" in done.stderr
    assert checkout.installed & {"tiny", "uv"} == set()


def test_another_uv_than_the_pinned_one_is_refused(checkout: Checkout, index: Index, with_pip: Path) -> None:
    """Even from an index that is trusted."""
    checkout.bring_pip(with_pip)
    checkout.pin({"uv": "0" * 64})

    done = checkout.set_up(SSL_CERT_FILE=str(index.file))

    assert done.returncode != 0
    assert "DO NOT MATCH" in done.stderr
    assert "uv" not in checkout.installed
