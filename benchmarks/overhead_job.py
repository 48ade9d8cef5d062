"""The sides of `overhead.py` that are ours: the whole job with either store, and the pool alone."""

from __future__ import annotations

from pathlib import Path

from overhead_task import Task, perform
from proxysieve import SessionPool
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.urls import read_urls


async def fetch_by_pool(task: Task) -> None:
    """Fetch with the pool, and keep nothing."""
    async with SessionPool(task.proxies, store="memory:", max_rate=0) as pool:
        await task.fetch_all(pool.get)


async def fetch_with_sqlite(task: Task) -> None:
    """Fetch by the whole job."""
    await _fetch_by_job(task, str(Path(task.directory, "store")))


async def fetch_with_memory(task: Task) -> None:
    """Fetch by the whole job, with a store that forgets."""
    await _fetch_by_job(task, "memory:")


async def _fetch_by_job(task: Task, store: str) -> None:
    options = JobOptions(
        urls=read_urls(task.urls, "the testbed"),
        proxies=task.proxies,
        out=Path(task.directory, "pages.jsonl"),
        store=store,
        concurrency=task.concurrency,
        max_rate=0,
    )
    await Job(options).run()


if __name__ == "__main__":
    perform({"job": fetch_with_sqlite, "job, memory:": fetch_with_memory, "pool": fetch_by_pool})
