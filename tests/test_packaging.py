"""The package as its users get it: built, installed elsewhere, and used there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterable
from email.message import Message
from email.parser import Parser
from importlib.metadata import PathDistribution, distribution
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from proxysieve.testbed import TestbedProcess, World

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "proxysieve"
# What a wheel has beside the package.
ABOUT = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
FOLDERS = ("src", "tests", "benchmarks", "docs", "scripts", ".ci")
FILES = {
    "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md", "pyproject.toml",
    "requirements-dev.txt",
}  # fmt: skip
# What a user writes. Where types are not told, what is ignored here is no error, and mypy says so.
TYPED_CODE = """
from proxysieve import SessionPool, SyncSessionPool


async def status_of(pool: SessionPool, url: str) -> int:
    page = await pool.get(url)
    len(page.status)  # type: ignore[arg-type]
    return page.status


def text_of(pool: SyncSessionPool, url: str) -> str:
    pool.get(url, wrong=1)  # type: ignore[call-arg]
    return pool.get(url).text
"""


class Built(NamedTuple):
    """What is published."""

    wheel: Path
    sdist: Path

    def metadata(self) -> Message:
        with zipfile.ZipFile(self.wheel) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            return Parser().parsestr(wheel.read(name).decode())


class Environment:
    """A Python of its own, outside of the checkout, in which nothing is but what is put there."""

    def __init__(self, place: Path) -> None:
        self.place = place
        venv.EnvBuilder(symlinks=True).create(place)
        self.python = place / "bin" / "python"
        [self.packages] = place.glob("lib/python3*/site-packages")

    def install(self, wheel: Path) -> None:
        """Install *wheel* alone."""
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        assert uv, "scripts/setup leaves one here or finds one"
        command = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python"]
        subprocess.run([*command, str(self.python), str(wheel)], check=True, cwd=self.place)

    def bring(self, dependencies: Iterable[str]) -> None:
        """Copy the packages of those names from the environment of the tests, so that no index is asked for them."""
        for name in dependencies:
            installed = distribution(name)
            for file in installed.files or ():
                source = Path(str(installed.locate_file(file)))
                # Commands and compiled files stay where they are.
                if ".." not in file.parts and "__pycache__" not in file.parts and source.exists():
                    target = self.packages / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, target)

    def run(
        self, *command: str, cwd: Path | None = None, name: str = "python", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run *command* with nothing of the checkout in sight."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        return subprocess.run(
            [str(self.place / "bin" / name), *command],
            cwd=cwd or self.place,
            env=inherited | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def files(self) -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in self.place.rglob("*") if path.is_file()}


def needs(requirements: Iterable[str], extra: str = "") -> set[str]:
    """The names of all packages that *requirements* lead to here."""
    found: set[str] = set()
    open_ends = [(Requirement(text), extra) for text in requirements]
    while open_ends:
        requirement, wanted = open_ends.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": wanted})):
            continue
        found.add(name)
        below = [Requirement(text) for text in distribution(name).requires or ()]
        open_ends += [(one, deeper) for one in below for deeper in ("", *requirement.extras)]
    return found


def build(project: Path, place: Path) -> Built:
    """Build *project*, without asking any index."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(place)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    [wheel], [sdist] = place.glob("*.whl"), place.glob("*.tar.gz")
    return Built(wheel, sdist)


def files_below(folder: Path) -> set[str]:
    """The files of the project in *folder*, as they are called from its root; figures are none of them."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(ROOT)) for path in files if not path.is_relative_to(ROOT / "benchmarks" / "results")}


def unpacked(sdist: Path, place: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(place, filter="data")
    [project] = place.iterdir()
    return project


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both forms of the package."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel in an environment that has what it says it needs, and nothing else."""
    environment = Environment(tmp_path_factory.mktemp("installed"))
    environment.install(built.wheel)
    environment.bring(needs(built.metadata().get_all("Requires-Dist", [])))
    return environment


class TestContents:
    """What is in the two files."""

    def test_the_wheel_has_the_package_and_nothing_else(self, built: Built) -> None:
        """Its tables, scenarios and the marker for type checkers too; no test, no benchmark."""
        with zipfile.ZipFile(built.wheel) as wheel:
            names = set(wheel.namelist())

        about = {name for name in names if ".dist-info/" in name}
        package = {name.removeprefix("src/") for name in files_below(PACKAGE)}
        assert names - about == package
        assert {name.partition(".dist-info/")[2] for name in about} == ABOUT
        assert {
            "proxysieve/judging/signs.toml",
            "proxysieve/py.typed",
            "proxysieve/sim/scenarios/clean.toml",
        } <= package

    def test_the_source_has_all_that_its_tests_need(self, built: Built) -> None:
        """Whoever gets it can run ``make test``."""
        with tarfile.open(built.sdist) as archive:
            names = {name.partition("/")[2]: member for name, member in zip(archive.getnames(), archive, strict=True)}

        needed = FILES.union(*(files_below(ROOT / folder) for folder in FOLDERS))
        assert needed - names.keys() == set()
        assert {name for name in names if "/" not in name} - FILES == {"PKG-INFO", ".gitignore"}
        assert names["scripts/setup"].isfile()

    def test_the_source_gives_the_same_wheel_and_the_same_source(self, built: Built, tmp_path: Path) -> None:
        """Byte for byte, wherever they are built."""
        project = unpacked(built.sdist, tmp_path / "source")

        again = build(project, tmp_path / "dist")

        assert again.wheel.read_bytes() == built.wheel.read_bytes()
        assert again.sdist.name == built.sdist.name
        assert members(again.sdist) == members(built.sdist)

    def test_what_an_index_shows_is_right(self, built: Built) -> None:
        """The README as Markdown, the licence, the extras and the versions of Python."""
        metadata = built.metadata()

        assert metadata["Name"] == "proxysieve"
        assert metadata["License-Expression"] == "Apache-2.0"
        assert metadata["Requires-Python"] == ">=3.11"
        assert metadata["Description-Content-Type"] == "text/markdown"
        assert metadata.get_payload() == (ROOT / "README.md").read_text()
        assert metadata.get_all("Provides-Extra") == ["crawlee", "playwright", "testbed"]
        extras = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" in text]
        assert [Requirement(text).name for text in extras] == [
            "crawlee",
            "apify-fingerprint-datapoints",
            "playwright",
            "h2",
            "trustme",
        ]


def members(sdist: Path) -> dict[str, bytes]:
    with tarfile.open(sdist) as archive:
        return {one.name: content.read() for one in archive if (content := archive.extractfile(one))}


class TestInstalled:
    """The wheel where nobody has the checkout."""

    @pytest.mark.parametrize(
        ("name", "arguments"),
        [
            pytest.param("proxysieve", [], id="command"),
            pytest.param("python", ["-m", "proxysieve"], id="module"),
        ],
    )
    def test_it_says_what_it_is(self, installed: Environment, name: str, arguments: list[str], built: Built) -> None:
        """As a command and as a module: the version of the wheel, and its commands."""
        version = installed.run(*arguments, "--version", name=name)
        help_ = installed.run(*arguments, "--help", name=name)

        assert (version.returncode, version.stderr) == (0, "")
        assert version.stdout == f"proxysieve, version {built.metadata()['Version']}\n"
        assert (help_.returncode, help_.stderr) == (0, "")
        assert {"demo", "explain", "fetch", "judge", "simulate"} <= set(help_.stdout.split())

    def test_it_is_the_installed_one_and_has_what_it_needs(self, installed: Environment) -> None:
        """Every module can be imported with the packages that the wheel names, but for those of extras."""
        code = (
            "import pkgutil, importlib, proxysieve; print(proxysieve.__file__); "
            "[importlib.import_module(one.name) for one in pkgutil.walk_packages(proxysieve.__path__, 'proxysieve.')"
            " if not one.name.endswith(('__main__', 'testbed.http2'))"
            " and not one.name.startswith(('proxysieve.adapters.', 'proxysieve.browser.'))]"
        )

        done = installed.run("-W", "error", "-c", code)

        assert (done.returncode, done.stderr) == (0, "")
        assert Path(done.stdout.strip()).is_relative_to(installed.packages)

    def test_an_adapter_without_its_client_says_what_to_install(self, installed: Environment) -> None:
        """In one line, with the command that does it."""
        done = installed.run("-c", "import proxysieve.adapters.playwright")

        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].endswith("pip install 'proxysieve[playwright]'")

    def test_a_browser_without_its_client_says_what_to_install(self, installed: Environment, tmp_path: Path) -> None:
        """The command says it like any other wrong input."""
        (tmp_path / "urls.txt").write_text("http://127.0.0.1:9/\n")
        arguments = ("fetch", "urls.txt", "--proxy", "http://127.0.0.1:9", "--out", "pages.jsonl", "--browser")

        done = installed.run(*arguments, name="proxysieve", cwd=tmp_path)

        assert done.returncode == 2
        assert "pip install 'proxysieve[playwright]'" in done.stderr

    def test_using_it_writes_nothing_where_it_is_installed(self, installed: Environment, tmp_path: Path) -> None:
        """So it works from a place that cannot be written; not even compiled files are left where none are wanted."""
        before = installed.files()
        (tmp_path / "page.html").write_text("<h1>Just a moment...</h1>")

        done = [
            installed.run("-c", "import proxysieve; proxysieve.SessionPool(['a:1'])", PYTHONDONTWRITEBYTECODE="1"),
            installed.run("judge", str(tmp_path / "page.html"), name="proxysieve", PYTHONDONTWRITEBYTECODE="1"),
            installed.run("simulate", "clean", name="proxysieve", PYTHONDONTWRITEBYTECODE="1"),
        ]

        assert [one.stderr for one in done] == ["", "", ""]
        assert installed.files() == before

    def test_it_does_the_main_job(self, installed: Environment, tmp_path: Path) -> None:
        """Through proxies of which half are banned."""
        with TestbedProcess(World(proxies=12, banned_share=0.5, page_bytes=2_000)) as bed:
            (tmp_path / "urls.txt").write_text("\n".join(bed.page_urls(20)))
            (tmp_path / "proxies.txt").write_text("\n".join(bed.proxy_lines))

            done = installed.run(
                "fetch", "urls.txt", "--proxies", "proxies.txt", "--out", "pages.jsonl", "--max-rate", "0", "--json",
                name="proxysieve", cwd=tmp_path,
            )  # fmt: skip

            assert (done.returncode, done.stderr) == (0, "")
            assert json.loads(done.stdout)["pages"] == 20
            pages = [json.loads(line) for line in (tmp_path / "pages.jsonl").read_text().splitlines()]
            assert {page["url"]: page["body"].encode() for page in pages} == {
                bed.page_url(number): bed.page_body(number) for number in range(20)
            }

    def test_it_judges_by_its_own_table(self, installed: Environment, tmp_path: Path) -> None:
        """The signs came along."""
        (tmp_path / "page.http").write_bytes(
            b"HTTP/1.1 403 Forbidden\r\ncf-mitigated: challenge\r\ncontent-type: text/html\r\n\r\n<h1>Wait</h1>"
        )

        done = installed.run("judge", "page.http", "--json", name="proxysieve", cwd=tmp_path)

        assert json.loads(done.stdout)["verdict"] == "blocked"

    def test_what_needs_the_extra_says_so_and_works_with_it(self, installed: Environment, built: Built) -> None:
        """A testbed that speaks TLS names the command that installs it."""
        code = (
            "from proxysieve.testbed import TestbedProcess, World\n"
            "with TestbedProcess(World(proxies=1, https=True)) as bed: print(bed.site_url)"
        )
        without = installed.run("-c", code)
        assert "pip install 'proxysieve[testbed]'" in without.stderr

        installed.bring(needs(built.metadata().get_all("Requires-Dist", []), extra="testbed"))
        done = installed.run("-c", code)

        assert done.stdout.startswith("https://"), done.stderr

    def test_a_type_checker_sees_its_types(self, installed: Environment, tmp_path: Path) -> None:
        """In a user's own code, checked strictly."""
        (tmp_path / "crawl.py").write_text(TYPED_CODE)

        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed.python, "crawl.py"],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MYPY"))},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.stdout == "Success: no issues found in 1 source file\n"


def test_the_names_of_a_wheel_and_of_its_installation_agree(installed: Environment, built: Built) -> None:
    """What a package manager reads of it is what was built, with the command that it makes."""
    [about] = installed.packages.glob("proxysieve-*.dist-info")
    found = PathDistribution(about)

    assert found.version == built.metadata()["Version"]
    assert [(one.name, one.value) for one in found.entry_points] == [("proxysieve", "proxysieve.cli:main")]
    assert built.wheel.name == f"proxysieve-{found.version}-py3-none-any.whl"
