"""The files and the format of an output, by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from proxysieve.errors import ConfigError
from proxysieve.fetch.folder import Folder
from proxysieve.fetch.formats import GZIPPED, PLAIN, Format, Lines
from proxysieve.fetch.journal import HEADER
from proxysieve.fetch.warc import Warc

FILES: dict[str, Callable[[str], Format]] = {
    ".jsonl": lambda _: Lines(PLAIN),
    ".jsonl.gz": lambda _: Lines(GZIPPED),
    ".warc": lambda name: Warc(name, PLAIN),
    ".warc.gz": lambda name: Warc(name, GZIPPED),
}
INDEX = "index.jsonl"
JOURNAL = "journal"
EXPECTED = "expected a name that ends in .jsonl, .jsonl.gz or .warc.gz (or .warc), or in / for a directory"


class Layout(NamedTuple):
    """The files of an output.

    Attributes:
        pages: The file with a record for each page.
        failed: The file with what failed.
        format: The format of the pages.
    """

    pages: Path
    failed: Path
    journal: Path
    format: Format


def lay_out(out: str) -> Layout:
    """The layout of the output *out*. A missing directory is made.

    Raises:
        ConfigError: The name is of no format, or something else is there already.
        OSError: The place cannot be used.
    """
    path = Path(out)
    if out.endswith("/") or path.is_dir():
        return _in_directory(out, path)
    ending = next((end for end in FILES if path.name.endswith(end) and path.name != end), None)
    if ending is None:
        raise ConfigError(f"--out {out}: {EXPECTED}")
    stem = path.name.removesuffix(ending)
    layout = Layout(
        pages=path,
        failed=path.with_name(f"{stem}.failed.jsonl"),
        journal=_journal_of(path),
        format=FILES[ending](path.name),
    )
    _refuse_other_kinds(path, stem)
    _refuse_others(layout, [layout.pages, layout.failed])
    return layout


def _in_directory(out: str, path: Path) -> Layout:
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise ConfigError(f"{out} is a file and no directory: move it away, or choose another --out") from error
    layout = Layout(pages=path / INDEX, failed=path / "failed.jsonl", journal=path / JOURNAL, format=Folder(path))
    _refuse_others(layout, path.iterdir())
    return layout


def _refuse_others(layout: Layout, there: Iterable[Path]) -> None:
    """Refuse files that are *there* with content, unless the journal has content, too."""
    # A journal that was cut within its header is empty.
    if layout.journal.exists() and layout.journal.stat().st_size >= len(HEADER):
        return
    strange = next((path for path in there if path != layout.journal and _has_content(path)), None)
    if strange:
        raise ConfigError(
            f"{strange} is there already, and has no journal of a job beside it: move it away, or choose another --out"
        )


def _refuse_other_kinds(path: Path, stem: str) -> None:
    """Refuse an output of another format that has the same file for what failed."""
    for ending in FILES:
        other = path.with_name(stem + ending)
        if other != path and _journal_of(other).exists():
            raise ConfigError(
                f"{other} is the output of an earlier run in another format: choose a name that differs in more than "
                f"its ending, or move away what begins with {stem}"
            )


def _has_content(path: Path) -> bool:
    return path.is_dir() or (path.exists() and path.stat().st_size > 0)


def _journal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.journal")
