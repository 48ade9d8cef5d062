from pathlib import Path

import msgspec
import pytest
from tests.fetch.outputs import NAMES, PAGE

from proxysieve.errors import ConfigError
from proxysieve.fetch.folder import Folder
from proxysieve.fetch.formats import Lines
from proxysieve.fetch.output import Output
from proxysieve.fetch.output_files import lay_out
from proxysieve.fetch.warc import Warc


async def written(out: str) -> None:
    """An output with a page and one that failed."""
    output = Output(out)
    output.add_page(PAGE)
    output.add_failed("https://shop.example/2", "blocked", [], at=5.0)
    await output.commit()
    output.close()


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "kind", "failed", "journal"),
    [
        ("pages.jsonl", Lines, "pages.failed.jsonl", "pages.jsonl.journal"),
        ("pages.jsonl.gz", Lines, "pages.failed.jsonl", "pages.jsonl.gz.journal"),
        ("a.b.warc", Warc, "a.b.failed.jsonl", "a.b.warc.journal"),
        ("pages.warc.gz", Warc, "pages.failed.jsonl", "pages.warc.gz.journal"),
        ("pages/", Folder, "pages/failed.jsonl", "pages/journal"),
        ("pages.jsonl/", Folder, "pages.jsonl/failed.jsonl", "pages.jsonl/journal"),
    ],
)
def test_the_name_says_the_format(tmp_path: Path, name: str, kind: type, failed: str, journal: str) -> None:
    """By its ending, and so where the other files are."""
    layout = lay_out(f"{tmp_path}/{name}")

    assert isinstance(layout.format, kind)
    assert (layout.failed, layout.journal) == (tmp_path / failed, tmp_path / journal)


def test_a_directory_that_is_there_needs_no_slash(tmp_path: Path) -> None:
    """It can be nothing else."""
    (tmp_path / "pages").mkdir()

    assert isinstance(lay_out(f"{tmp_path}/pages").format, Folder)


@pytest.mark.parametrize("name", ["pages", "pages.json", "pages.gz", "pages.jsonl.bz2", ".jsonl", ".warc.gz"])
def test_a_name_that_says_no_format_is_refused(tmp_path: Path, name: str) -> None:
    """With those that do, and nothing is made."""
    with pytest.raises(ConfigError, match=r"ends in \.jsonl, \.jsonl\.gz or \.warc\.gz \(or \.warc\), or in / for"):
        lay_out(f"{tmp_path}/{name}")

    assert not contents(tmp_path)


@pytest.mark.parametrize("later", NAMES[:4])
@pytest.mark.parametrize("earlier", NAMES[:4])
async def test_another_format_under_the_same_name_is_refused(tmp_path: Path, earlier: str, later: str) -> None:
    """The two would share the file for what failed; what is there stays as it is."""
    if earlier == later:
        return
    await written(f"{tmp_path}/{earlier}")
    before = contents(tmp_path)

    with pytest.raises(ConfigError, match=f"{earlier} is the output of an earlier run in another format"):
        Output(f"{tmp_path}/{later}")

    assert contents(tmp_path) == before


@pytest.mark.parametrize("taken", ["pages.warc.gz", "pages.failed.jsonl"])
def test_somebody_elses_file_is_refused_and_kept(tmp_path: Path, taken: str) -> None:
    """Also where it has the name of the file for what failed."""
    (tmp_path / taken).write_text("precious\n")

    with pytest.raises(ConfigError, match=f"{taken} is there already, and has no journal of a job beside it"):
        Output(tmp_path / "pages.warc.gz")

    assert contents(tmp_path) == {str(tmp_path / taken): b"precious\n"}


@pytest.mark.parametrize("name", ["index.jsonl", "notes.txt", "photos/1.jpg"])
def test_somebody_elses_directory_is_refused_and_kept(tmp_path: Path, name: str) -> None:
    """Whatever is in it, and also if something in it is called a journal."""
    path = tmp_path / "pages" / name
    path.parent.mkdir(parents=True)
    path.write_text("precious\n")
    (tmp_path / "pages" / "journal").touch()

    with pytest.raises(ConfigError, match=f"{name.partition('/')[0]} is there already, and has no journal of a job"):
        Output(f"{tmp_path}/pages/")

    assert path.read_text() == "precious\n"


async def test_what_somebody_put_into_a_jobs_directory_stays(tmp_path: Path) -> None:
    """A job removes what it has written itself, and nothing else."""
    await written(f"{tmp_path}/pages/")
    (tmp_path / "pages" / "notes.txt").write_text("mine")
    (tmp_path / "pages" / ".unfinished").mkdir()
    (tmp_path / "pages" / ".unfinished" / "notes.txt").write_text("mine, too")

    Output(f"{tmp_path}/pages/").close()

    assert (tmp_path / "pages" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "pages" / ".unfinished" / "notes.txt").read_text() == "mine, too"


def test_a_file_in_the_place_of_a_directory_is_named(tmp_path: Path) -> None:
    """In one sentence, and it is kept."""
    (tmp_path / "pages").write_text("precious\n")

    with pytest.raises(ConfigError, match="pages/ is a file and no directory"):
        Output(f"{tmp_path}/pages/")

    assert (tmp_path / "pages").read_text() == "precious\n"


def test_a_directory_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    """Likewise."""
    (tmp_path / "pages.failed.jsonl").mkdir()

    with pytest.raises(ConfigError, match=r"pages.failed.jsonl is there already"):
        Output(tmp_path / "pages.jsonl")


@pytest.mark.parametrize("name", NAMES)
def test_a_place_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    """Whatever the format; a directory is made for the pages, but not the one that it is to be in."""
    with pytest.raises(ConfigError, match=rf"nowhere/{name} cannot be written: No such file"):
        Output(f"{tmp_path}/nowhere/{name}")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_the_system_refuses_is_told(tmp_path: Path, name: str) -> None:
    """In one sentence, as everything else that cannot be written."""
    with pytest.raises(ConfigError, match="cannot be written: File name too long"):
        Output(f"{tmp_path}/{'x' * 300}{name}")


async def test_the_same_page_again_has_the_same_file(tmp_path: Path) -> None:
    """So that a job that was started anew in an empty place writes what it wrote before."""
    for name in ("a/", "b/"):
        output = Output(f"{tmp_path}/{name}")
        output.add_page(msgspec.structs.replace(PAGE, session=name))
        await output.commit()
        output.close()

    assert {path.name for path in (tmp_path / "a").iterdir()} == {path.name for path in (tmp_path / "b").iterdir()}
