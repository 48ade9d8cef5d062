"""Commands that look into a store, run in a directory that has one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

from click.testing import CliRunner
from tests.fakes import Scripted, answers

from proxysieve import SessionPool
from proxysieve.cli import main

SITE = "shop.example"
LINES = [f"http://user:topsecret@10.1.2.{host}:8000" for host in range(1, 5)]


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
