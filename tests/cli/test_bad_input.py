"""Whatever a user gets wrong is told in one sentence, and costs nothing."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from proxysieve.cli import main

# Nothing listens there, and nothing is asked: what is wrong is found before.
URL = "http://127.0.0.1:9/item/1"
PROXY = "http://ann:topsecret@127.0.0.1:9"
# Of a journal of format 1.
LINE = '["pages","http://a.example/",3]\n'
FETCH = "fetch urls.txt --proxies proxies.txt --out pages.jsonl --store memory:"


class Wrong(NamedTuple):
    """What a user does, what lies in the directory, and what the sentence says."""

    command: str
    says: str
    files: Mapping[str, str | bytes | None] = MappingProxyType({})
    stdin: str = ""


def proxies(content: str | bytes, says: str) -> Wrong:
    return Wrong(FETCH, says, {"proxies.txt": content})


def urls(content: str | bytes, says: str) -> Wrong:
    return Wrong(FETCH, says, {"urls.txt": content})


def option(text: str, says: str, **files: str | bytes) -> Wrong:
    return Wrong(f"{FETCH} {text}", says, {name.replace("_", "."): content for name, content in files.items()})


def journal(content: str, says: str) -> Wrong:
    """A journal of format 1, unless it says that it is another, beside an output that is not ours."""
    whole = content if content.startswith('["proxysieve') else f'["proxysieve journal",1]\n{content}'
    return Wrong(FETCH, says, {"pages.jsonl": "mine\n", "pages.jsonl.journal": whole})


def config(content: str, says: str) -> Wrong:
    return Wrong(f"{FETCH} --config job.toml", says, {"job.toml": content})


WRONG = {
    # Lists of proxies.
    "no-proxies": Wrong("fetch urls.txt --out pages.jsonl", "which proxies? Name a file with --proxies"),
    "proxies-not-there": Wrong(FETCH.replace("proxies.txt", "none.txt"), "none.txt cannot be read: No such file"),
    "proxies-are-a-directory": Wrong(FETCH.replace("proxies.txt", "folder"), "folder cannot be read", {"folder": None}),
    "proxies-empty": proxies("\n# none yet\n", "proxies.txt has no proxies: expected one on each line"),
    "proxies-no-text": proxies(b"\x80\x81\xff", "proxies.txt cannot be read: not UTF-8 text"),
    "proxy-of-another-kind": proxies("ftp://ann:topsecret@a.example:21", "line 1: not a proxy, the scheme ftp"),
    "proxy-socks4": proxies("socks4://a.example:1080", "the scheme socks4 is not supported"),
    "proxy-without-port": proxies("http://ann:topsecret@a.example", "it lacks a port"),
    "proxy-port-too-high": proxies("a.example:65536", "its port is not between 1 and 65535"),
    "proxy-port-in-words": proxies("a.example:http", "its port is no number"),
    "proxy-with-a-path": proxies("http://a.example:80/list", "something follows the port"),
    "proxy-two-readings": proxies("a.example:80:b.example:90", "it can be read in two ways"),
    "proxy-unknown-key": proxies("a.example:80 price=20", "an unknown key follows the address"),
    "proxy-cost-in-words": proxies("a.example:80 cost=cheap", "its cost is no positive finite number"),
    "proxy-cost-twice": proxies("a.example:80 cost=1 cost=2", "its cost is given twice"),
    "proxy-ttl-below-nought": proxies("a.example:80 ttl_seconds=-1", "its ttl_seconds is no positive finite number"),
    "proxy-none-at-once": proxies("a.example:80 max_in_flight=0", "its max_in_flight is no whole number above 0"),
    "proxy-half-an-ipv6": proxies("[2001:db8::1:8080", "its host is neither a name nor an IP address"),
    "proxies-are-json": proxies('{"error": "topsecret"}', "this is JSON without a list of proxies"),
    "proxies-are-cut-json": proxies('[{"ip": "10.0.0.1", "port": 80', "this is JSON that is damaged or breaks off"),
    "proxies-are-excel": proxies(b"PK\x03\x04 xl/workbook.xml", "it is an Excel file: save it as CSV"),
    "proxies-are-half-a-gzip": proxies(gzip.compress(b"10.0.0.1:80\n")[:-3], "its compression breaks off"),
    "proxies-of-other-types": proxies(
        "proxies:\n- {type: ss, server: 10.0.0.1, port: 1, password: topsecret}\n", "left out: 1 of type ss"
    ),
    "proxy-with-a-control": proxies("http://ann%0a:topsecret@a.example:80", "a control or invisible character is in"),
    "proxies-are-html": proxies("<html><body>Login</body></html>", "cannot be read: this is an HTML page"),
    "proxy-on-the-line": Wrong(f"{FETCH} --proxy nonsense".replace("--proxies proxies.txt", ""), "not a proxy"),
    "proxies-from-nowhere": Wrong(
        FETCH.replace("proxies.txt", "http://127.0.0.1:9/l?t=topsecret"), "it cannot be reached"
    ),
    "proxy-given-as-a-list": Wrong(FETCH.replace("proxies.txt", PROXY), "this is one proxy: give it with --proxy"),
    "list-given-as-a-proxy": Wrong(FETCH.replace("--proxies", "--proxy"), "proxies.txt is a file: give it with --pro"),
    "standard-input-twice": Wrong(
        "fetch - --proxies - --out pages.jsonl", "the standard input cannot be both", stdin=URL
    ),
    # Lists of URLs.
    "no-urls": Wrong("fetch --proxies proxies.txt --out pages.jsonl", "Missing argument 'URLS...'"),
    "urls-not-there": Wrong(FETCH.replace("urls.txt", "none.txt"), "the URLs in none.txt cannot be read: No such file"),
    "url-on-the-line": Wrong(FETCH.replace("urls.txt", URL), "put addresses into a file, or pipe them to -"),
    "urls-are-a-directory": Wrong(FETCH.replace("urls.txt", "folder"), "folder", {"folder": None}),
    "urls-empty": urls("# none\n", "urls.txt has no URLs: expected one on each line"),
    "urls-no-text": urls(b"http://a.example/\xff\n", "urls.txt cannot be read: not UTF-8 text"),
    "url-without-scheme": urls("shop.example/item", "urls.txt, line 1: not a URL: 'shop.example/item'"),
    "url-of-another-kind": urls("ftp://shop.example/item", "line 1: not a URL"),
    "url-with-a-bad-port": urls("http://shop.example:port/", "its host or port cannot be read"),
    "urls-are-json": urls('["http://shop.example/topsecret"]', "this is JSON: expected one URL on each line"),
    "urls-are-html": urls("<!DOCTYPE html>topsecret", "this is an HTML page: expected one URL on each line"),
    "urls-are-a-pdf": urls(b"%PDF-1.7\n", "it is a PDF"),
    "urls-are-a-table": urls("url,title\nhttp://shop.example/1,topsecret", "this is a table"),
    "urls-have-commas": urls("http://shop.example/1,\nhttp://shop.example/2,", "every line ends with a comma"),
    "urls-in-utf-16-unmarked": urls("http://a.example/".encode("utf-16-le"), "UTF-16 without a byte order mark"),
    "url-and-another": urls(
        "http://shop.example/1 http://shop.example/topsecret", "something follows it after a blank"
    ),
    "url-with-an-unseen-letter": urls("http://shop.example/1\u200b", "it has an invisible letter (U+200B)"),
    "urls-are-an-index": urls(
        "<sitemapindex><sitemap><loc>http://shop.example/1.xml</loc></sitemap></sitemapindex>",
        "is an index of 1 sitemap and has no pages: download them (http://shop.example/1.xml)",
    ),
    "urls-are-other-xml": urls("<opml/>", "it is XML but no sitemap"),
    "urls-are-an-xml-bomb": urls("<!DOCTYPE a [<!ENTITY a 'a'>]><urlset/>", "it is XML with a document type"),
    "lists-exchanged": urls(f"{PROXY}\n{PROXY}/", "has proxies and no pages: are the two lists swapped?"),
    "lists-exchanged-colons": urls("203.0.113.7:8000:ann:topsecret", "line 1: not a URL"),
    # Options.
    "unknown-command": Wrong("fetsh urls.txt", "No such command 'fetsh'"),
    "option-before-the-command": Wrong(f"--json {FETCH}", "--json stands behind the command"),
    "option-behind-the-command": option("-v", "-v stands before the command"),
    "unknown-option-before": Wrong("--colour fetch", "No such option '--colour'; main --help"),
    "option-like-another": option("--output x", "Did you mean '--out'? main fetch --help"),
    "option-like-some": option("--bogus", "'--out', '--robots'?) main fetch --help"),
    "unknown-option": option("--sessions 5", "No such option"),
    "no-output": Wrong("fetch urls.txt --proxies proxies.txt", "Missing option '--out'"),
    "none-at-a-time": option("--concurrency 0", "0 is not in the range"),
    "many-at-a-time": option("--concurrency many", "'many' is not a valid whole number;"),
    "rate-below-nought": option("--max-rate -1", "-1.0 is not in the range"),
    "rate-no-number": option("--max-rate nan", "nan is not in the range"),
    "time-out-at-once": option("--timeout 0", "0.0 is not in the range"),
    "time-out-never": option("--timeout inf", "inf is not in the range"),
    "no-attempts": option("--attempts 0", "0 is not in the range"),
    "deadline-below-nought": option("--deadline -5", "is not in the range"),
    "no-thrift": option("--thrift 0", "0.0 is not in the range"),
    "unknown-policy": option("--policy best", "'best' is not one of"),
    "expect-nothing": option("--expect css:", "has nothing after the colon"),
    "expect-no-selector": option("--expect css:[", "selector"),
    "expect-no-count": option("--expect bytes:many", "is no number of bytes"),
    "signs-not-there": option("--signs none.toml", "none.toml"),
    "signs-no-toml": option("--signs own.toml", "own.toml", own_toml="sign ="),
    "signs-unknown-key": option("--signs own.toml", "own.toml", own_toml="[[sign]]\ncolour = 'red'"),
    "header-without-value": option("--header topsecret", "not a header: expected 'Name: value'"),
    "header-of-the-identity": option("--header User-Agent:topsecret", "part of the fingerprint"),
    "header-cookie": option("--header Cookie:topsecret", "--cookie-file"),
    "cookies-not-there": option("--cookie-file none.txt", "none.txt cannot be read: No such file"),
    "cookies-of-one-line": option("--cookie-file own.txt", "line 1: no cookie", own_txt="login=topsecret"),
    "cookies-are-html": option("--cookie-file own.txt", "this is an HTML page", own_txt="<html>topsecret"),
    "cookies-are-sqlite": option("--cookie-file own.db", "an SQLite database: export", own_db=b"SQLite format 3\0"),
    "cookies-with-blanks": option(
        "--cookie-file own.txt", "blanks stand between its fields", own_txt="a.example TRUE / FALSE 0 a topsecret"
    ),
    "cookies-no-json": option("--cookie-file own.json", "no list of cookies", own_json='{"login": "topsecret"}'),
    # The configuration file.
    "config-not-there": Wrong(f"{FETCH} --config none.toml", "none.toml cannot be read: No such file"),
    "config-no-toml": config("max-rate = ", "job.toml is no TOML"),
    "config-unknown-key": config("[fetch]\nmax-rates = 5", "did you mean 'max-rate'?"),
    "config-unknown-table": config("[fetsh]\nmax-rate = 5", "did you mean 'fetch'?"),
    "config-misplaced": config("[fetch]\nproxies = 'a.txt'", "it belongs to the top of the file"),
    "config-number-in-words": config("[fetch]\nmax-rate = 'fast'", "'max-rate' is str, expected a number"),
    "config-out-of-range": config("[fetch]\nattempts = 0", "0 is not in the range"),
    # Outputs.
    "output-of-no-kind": Wrong(FETCH.replace("pages.jsonl", "pages.csv"), "pages.csv"),
    "output-of-somebody": Wrong(FETCH, "no journal of a job beside it", {"pages.jsonl": "mine\n"}),
    "output-with-a-strange-journal": Wrong(FETCH, "is not a journal of proxysieve", {"pages.jsonl.journal": "mine\n"}),
    "output-with-a-newer-journal": journal('["proxysieve journal",3]\n', "was written by a newer proxysieve: upgrade"),
    "output-with-a-damaged-journal": journal(f"{LINE[:9]}\n{LINE}", "pages.jsonl.journal, line 2 is damaged: it is no"),
    "output-with-a-journal-that-goes-back": journal(f"{LINE}{LINE}", "line 3 is damaged: its values are impossible"),
    "output-with-another-end": journal(LINE, "has another record before byte 3 than its journal says: something else"),
    "output-shorter-than-its-journal": journal(LINE.replace("3", "9"), "(5 bytes, and not 9): something else has chan"),
    "output-nowhere": Wrong(FETCH.replace("pages.jsonl", "none/pages.jsonl"), "cannot be written: No such file"),
    "output-below-a-file": Wrong(FETCH.replace("pages.jsonl", "urls.txt/pages.jsonl"), "urls.txt"),
    "output-in-a-full-folder": Wrong(FETCH.replace("pages.jsonl", "mine/"), "mine", {"mine": None, "mine/a": "b"}),
    # Stores.
    "store-is-a-file": Wrong(FETCH.replace("memory:", "urls.txt"), "the store urls.txt cannot be used"),
    "store-of-no-kind": Wrong(FETCH.replace("memory:", "ftp://a"), "no such kind of store"),
    "store-is-something-else": Wrong(FETCH.replace("memory:", "s"), "s", {"s": None, "s/state.sqlite3": "mine"}),
    # Other commands.
    "check-without-url": Wrong("check --proxies proxies.txt", "Missing argument 'URL'"),
    "check-no-url": Wrong("check shop.example --proxies proxies.txt", "not a URL"),
    "check-saves-onto-the-list": Wrong(f"check {URL} --proxies proxies.txt --save proxies.txt", "proxies.txt"),
    "check-saves-onto-another": Wrong(f"check {URL} --proxies proxies.txt --save mine", "mine", {"mine": "mine"}),
    "explain-without-store": Wrong("explain shop.example --proxies proxies.txt", "there is no store at .proxysieve"),
    "explain-in-memory": Wrong("explain a --proxies proxies.txt --store memory:", "cannot look into 'memory:'"),
    "sessions-without-store": Wrong("sessions", "there is no store at .proxysieve"),
    "export-of-no-kind": Wrong("export a --proxies proxies.txt --format xml", "'xml' is not one of"),
    "export-without-store": Wrong("export a --proxies proxies.txt", "there is no store at .proxysieve"),
    "import-no-json": Wrong("import a.json --site a.example --proxies proxies.txt", "a.json", {"a.json": "{"}),
    "import-of-no-kind": Wrong("import a.json --site a.example --proxies proxies.txt", "a.json", {"a.json": "[1]"}),
    "import-not-there": Wrong("import none.json --site a.example --proxies proxies.txt", "none.json"),
    "forget-without-store": Wrong("forget shop.example", "there is no store at .proxysieve"),
    "judge-not-there": Wrong("judge none.html", "none.html"),
    "judge-no-status": Wrong("judge urls.txt --status 42", "42 is not in the range"),
    "judge-no-header": Wrong("judge urls.txt --header topsecret", "expected 'Name: value'"),
    "simulate-unknown": Wrong("simulate no-such-world", "no-such-world"),
    "simulate-no-toml": Wrong("simulate own.toml", "own.toml", {"own.toml": "name ="}),
    "simulate-unknown-policy": Wrong("simulate mostly-banned --policy best", "best"),
    "completion-of-which-shell": Wrong("completion", "Choose from: bash, zsh, fish; main completion --help"),
    "completion-of-no-shell": Wrong("completion tcsh", "'tcsh' is not one of"),
}


def put(directory: Path, files: Mapping[str, str | bytes | None]) -> None:
    for name, content in files.items():
        if content is None:
            (directory / name).mkdir()
        else:
            (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("wrong", [pytest.param(one, id=name) for name, one in WRONG.items()])
def test_what_is_wrong_is_told_in_one_sentence(wrong: Wrong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 2, nothing on the standard output, no traceback, no secret, and every file is as it was."""
    put(tmp_path, {"urls.txt": URL, "proxies.txt": PROXY, **wrong.files})
    before = snapshot(tmp_path)
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(main, wrong.command.split(), input=wrong.stdin)

    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert wrong.says in done.stderr
    assert done.stderr.startswith("proxysieve: ")
    assert done.stderr.count("\n") == 1
    assert "topsecret" not in done.stderr
    assert "Traceback" not in done.stderr
    after = snapshot(tmp_path)
    assert {name: after.get(name) for name in before} == before
    # The output is made before the store is opened; empty, it keeps nobody from anything.
    made = {name: content for name, content in after.items() if name not in before}
    assert not b"".join(content for name, content in made.items() if not name.endswith(".journal"))
    assert not made or "store" in done.stderr


def test_there_are_many_ways_to_go_wrong() -> None:
    """So many at least are held to it here; those of stores, servers and disks have tables of their own."""
    assert len(WRONG) >= 60
