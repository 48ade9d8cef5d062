"""Commands that look into a store, run in a directory that has one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Self

from click.testing import CliRunner
from tests.fakes import Scripted, answers

from proxysieve import SessionPool
from proxysieve.cli import main

SITE = "shop.example"
LINES = [f"http://user:topsecret@10.1.2.{host}:8000" for host in range(1, 5)]


def run_in(directory: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command as if in *directory*; exit status, standard output and standard error."""
    with chdir(directory):
        done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


class Command:
    """Runs one command in a directory, with *arguments* before those of each run."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self._arguments = arguments

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """In this process."""
        return run_in(self.directory, *self._arguments, *arguments)

    def run_apart(self, *arguments: str, max_file_kib: int = 0) -> tuple[int, str, str]:
        """In a process of its own."""
        process = self.start(*arguments, max_file_kib=max_file_kib)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def start(self, *arguments: str, max_file_kib: int = 0) -> subprocess.Popen[str]:
        limited = ["bash", "-c", f'ulimit -f {max_file_kib}; exec "$@"', "bash"] if max_file_kib else []
        return subprocess.Popen(
            [*limited, sys.executable, "-m", "proxysieve", *self._arguments, *arguments],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


class Shell:
    """Runs *command* with ``proxies.txt`` and the store of its directory."""

    def __init__(self, directory: Path, command: str, lines: list[str] = LINES) -> None:
        self.directory = directory
        self.command = command
        self.proxies = directory / "proxies.txt"
        self.store = directory / "store"
        self.proxies.write_text("\n".join(lines))

    def fill(self, site: str = SITE) -> Self:
        """Have a real pool fetch some pages, one of them in a session with a name."""

        async def fetch() -> None:
            client = Scripted(answers(200))
            async with SessionPool(str(self.proxies), store=self.store, client=client, max_rate=0, seed=1) as pool:
                await pool.session("anna", site=site).get(f"http://{site}/")
                for _ in range(10):
                    await pool.get(f"http://{site}/")

        asyncio.run(fetch())
        return self

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """With the list and the store, in front of *arguments*."""
        return self.run_alone("--proxies", str(self.proxies), "--store", str(self.store), *arguments)

    def run_alone(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        done = CliRunner().invoke(main, [self.command, *arguments])
        return done.exit_code, done.stdout, done.stderr
