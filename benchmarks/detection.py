"""How well the judge tells block pages, on real pages, and how well others do on the same ones.

The pages are no part of the project: a folder with a `manifest.jsonl` that says of each what it is. They are shown

  A  the body alone, as a good page without headers: what is left of a block where the status lies
  B  with the status and the headers that were recorded with them
  C  with the recorded or the likely status, and the headers where there are any

A block is caught if it is called blocked or throttled. Of each figure the count, the percentage and, in brackets, the
95 % interval of that (Wilson's). The others are called as their users call them (detection_peers.py), those that are
not installed here from an environment that is made for them in benchmarks/results/.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections import Counter
from collections.abc import Callable, Sequence
from math import sqrt
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from measure import Bench, Cell
from proxysieve.core.model import Exchange, Outcome, Verdict
from proxysieve.judging.sign_tables import make_judge

PROJECT = Path(__file__).resolve().parent.parent
CORPUS = PROJECT.parent / "shared" / "corpus"
# Hidden, so that no linter takes what is installed there for ours.
ENVIRONMENT = PROJECT / "benchmarks" / "results" / ".peers"
OURS = "proxysieve"
PEERS_HERE = ("crawlee, selectors", "crawlee, statuses", "rotating-proxies")
PEERS_THERE = ("is-antibot", "anti-bot-detector", "crawl4ai", "Scrapling, spider", "Scrapling, browser")
# Each by itself, so that one which cannot be had does not take the others with it. Of crawl4ai one module is used.
REQUIREMENTS = (
    ("is-antibot==0.1.1",),
    ("anti-bot-detector==0.1.0",),
    ("--no-deps", "crawl4ai==0.9.5"),
    ("scrapling[fetchers]==0.5",),
)
# Of the normal distribution: 95 % lie within.
DEVIATIONS = 1.959964
LONGEST_SECONDS = 600.0

Label = Literal["blocked", "ok", "site_error", "proxy_error"]
Opinion = Literal["blocked", "unclear", "proxy_error", "none"]


class Page(msgspec.Struct, frozen=True):
    """A page of the corpus, as its manifest describes it."""

    file: str
    label: Label
    url: str | None = None
    status: int | None = None
    status_source: Literal["recorded", "inferred"] | None = None
    headers: dict[str, str] | None = None

    @property
    def address(self) -> str:
        """Where it came from, by TLS."""
        return (self.url or "https://site.example/").replace("http(s)://", "https://").replace("http://", "https://")


class Answer(msgspec.Struct, frozen=True):
    """A page as it is shown to who is to tell what it is."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes


class Shown(NamedTuple):
    """A page, and how it was shown."""

    page: Page
    answer: Answer


class Share(NamedTuple):
    """So many of so many."""

    found: int
    total: int

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies, in 95 % of all cases (Wilson, 1927)."""
        if not self.total:
            return 0.0, 1.0
        share, spread = self.found / self.total, DEVIATIONS**2 / self.total
        middle = share + spread / 2
        half = sqrt(share * (1 - share) * spread + spread**2 / 4)
        return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))

    def text(self) -> str:
        """For a table."""
        if not self.total:
            return "none"
        low, high = self.interval
        return f"{self.found}/{self.total} {self.found / self.total:.0%} ({low * 100:.0f}-{high * 100:.0f})"


def body_alone(page: Page, body: bytes) -> Answer | None:
    """A."""
    return Answer(page.address, 200, {}, body)


def as_recorded(page: Page, body: bytes) -> Answer | None:
    """B."""
    return as_known(page, body) if page.status_source == "recorded" else None


def as_known(page: Page, body: bytes) -> Answer | None:
    """C."""
    if page.status_source is None or page.status is None:
        return None
    return Answer(page.address, page.status, {k.lower(): v for k, v in (page.headers or {}).items()}, body)


PRESENTATIONS: dict[str, tuple[str, Callable[[Page, bytes], Answer | None]]] = {
    "A": ("the body alone, as status 200", body_alone),
    "B": ("with the recorded status and headers", as_recorded),
    "C": ("with the recorded or likely status", as_known),
}


def read_corpus(folder: Path) -> dict[str, list[Shown]]:
    """The pages in *folder*, by the letter of how they are shown."""
    lines = (folder / "manifest.jsonl").read_bytes().splitlines()
    pages = [msgspec.json.decode(line, type=Page) for line in lines]
    bodies = [(folder / page.file).read_bytes() for page in pages]
    return {
        letter: [
            Shown(page, answer)
            for page, body in zip(pages, bodies, strict=True)
            if (answer := show(page, body)) is not None
        ]
        for letter, (_, show) in PRESENTATIONS.items()
    }


def verdict_of(answer: Answer) -> Verdict:
    """Ours."""
    headers = tuple(answer.headers.items())
    return make_judge().judge(Exchange(url=answer.url, status=answer.status, headers=headers, body=answer.body, at=1e9))


def opinion_of(verdict: Verdict) -> Opinion:
    """What it comes to."""
    match verdict.outcome:
        case Outcome.BLOCKED | Outcome.THROTTLED:
            return "blocked"
        case Outcome.UNCLEAR:
            return "unclear"
        case Outcome.PROXY_ERROR:
            return "proxy_error"
        case _:
            return "none"


class PeerReply(msgspec.Struct, frozen=True):
    """What one of the others said: of each answer, or why it said nothing.

    Attributes:
        stumbled: Over how many it raised an error, which is counted as if it had found no block.
    """

    peer: str
    version: str = ""
    blocked: list[bool] = []
    stumbled: int = 0
    missing: str = ""

    @property
    def opinions(self) -> list[Opinion]:
        """One of each answer."""
        return ["blocked" if one else "none" for one in self.blocked]

    def note(self) -> str:
        """A line about it."""
        if self.missing:
            return f"{self.peer}: missing, {self.missing}"
        stumbled = f"; stumbled over {self.stumbled} of {len(self.blocked)} answers" if self.stumbled else ""
        return f"{self.peer}: {self.version}{stumbled}"


def ask_peers(python: Path, names: Sequence[str], answers: Sequence[Answer]) -> list[PeerReply]:
    """What the others called *names*, as installed for *python*, make of *answers*."""
    done = subprocess.run(
        [python, Path(__file__).with_name("detection_peers.py"), *names],
        input=b"\n".join(map(msgspec.json.encode, answers)),
        stdout=subprocess.PIPE,
        check=False,
        timeout=LONGEST_SECONDS,
    )
    replies = [msgspec.json.decode(line, type=PeerReply) for line in done.stdout.splitlines()]
    silent = set(names) - {reply.peer for reply in replies}
    return replies + [PeerReply(name, missing=f"ended with status {done.returncode}") for name in sorted(silent)]


def make_environment() -> Path:
    """The Python of an environment with the others in it, as far as they can be installed."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        ENVIRONMENT.parent.mkdir(exist_ok=True)
        (ENVIRONMENT.parent / ".gitignore").write_text("*\n")
        venv.create(ENVIRONMENT, with_pip=True)
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    install = [uv, "pip", "install", "--quiet", "--python", python] if uv else [python, "-m", "pip", "install", "-q"]
    for requirement in REQUIREMENTS:
        # What could not be installed is found missing by who imports it, and named then.
        subprocess.run([*install, *requirement], check=False, stdout=sys.stderr)
    return python


def all_replies(answers: Sequence[Answer]) -> list[PeerReply]:
    """What all of the others make of *answers*."""
    here = ask_peers(Path(sys.executable), PEERS_HERE, answers)
    return here + ask_peers(make_environment(), PEERS_THERE, answers)


class Score(NamedTuple):
    """What somebody made of the pages of one presentation."""

    caught: Share
    unclear: Share
    good_for_blocks: Share
    site_errors_for_blocks: Share
    proxy_errors_for_blocks: Share
    blocks_for_proxy_errors: Share

    @classmethod
    def of(cls, shown: Sequence[Shown], opinions: Sequence[Opinion]) -> Score:
        """That of *opinions*, one of each page."""
        seen = Counter((one.page.label, opinion) for one, opinion in zip(shown, opinions, strict=True))
        totals = Counter(one.page.label for one in shown)

        def share(label: Label, opinion: Opinion) -> Share:
            return Share(seen[label, opinion], totals[label])

        return cls(
            caught=share("blocked", "blocked"),
            unclear=share("blocked", "unclear"),
            good_for_blocks=share("ok", "blocked"),
            site_errors_for_blocks=share("site_error", "blocked"),
            proxy_errors_for_blocks=share("proxy_error", "blocked"),
            blocks_for_proxy_errors=share("blocked", "proxy_error"),
        )

    def main_row(self, name: str) -> dict[str, Cell]:
        """What counts most."""
        return {
            "": name,
            "blocks caught": self.caught.text(),
            "good as block": self.good_for_blocks.text(),
            "site error as block": self.site_errors_for_blocks.text(),
        }

    def other_row(self, name: str) -> dict[str, Cell]:
        """The rest; the others can only say that something is a block."""
        return {
            "": name,
            "block is unclear": self.unclear.text() if name == OURS else None,
            "as proxy error": self.blocks_for_proxy_errors.text() if name == OURS else None,
            "proxy error as block": self.proxy_errors_for_blocks.text(),
        }


def report(bench: Bench, letter: str, shown: Sequence[Shown], opinions: dict[str, list[Opinion]]) -> None:
    """Print what all made of one presentation."""
    scores = {name: Score.of(shown, given) for name, given in opinions.items()}
    for name, score in scores.items():
        figures = {kind: {"count": one.found, "of": one.total} for kind, one in score._asdict().items()}
        bench.emit(presentation=letter, classifier=name, **figures)
    title = f"{letter}: {PRESENTATIONS[letter][0]}; {len(shown)} pages"
    bench.table(title, [score.main_row(name) for name, score in scores.items()])
    bench.table(f"{letter}, further", [score.other_row(name) for name, score in scores.items()])


def report_mistakes(bench: Bench, letter: str, shown: Sequence[Shown], verdicts: Sequence[Verdict]) -> None:
    """Name the pages that the judge gets wrong."""
    for one, verdict in zip(shown, verdicts, strict=True):
        opinion = opinion_of(verdict)
        if (opinion == "blocked") != (one.page.label == "blocked") or opinion == "unclear":
            bench.emit(presentation=letter, file=one.page.file, label=one.page.label, sign=verdict.sign)
            bench.note(f"  {one.page.label} taken for {verdict.outcome} ({verdict.sign}): {one.page.file}")


def main() -> None:
    """Measure."""
    bench = Bench("detection", __doc__)
    bench.parser.add_argument("--corpus", type=Path, default=CORPUS, help="the folder of pages (default: %(default)s)")
    bench.parser.add_argument("--no-peers", action="store_true", help="leave the others out")
    options = bench.start()
    if not (options.corpus / "manifest.jsonl").is_file():
        print(f"there are no pages to judge: {options.corpus} has no manifest.jsonl", file=sys.stderr)
        sys.exit(2)
    shown = read_corpus(options.corpus)
    answers = [one.answer for ones in shown.values() for one in ones]
    replies = [] if options.no_peers else all_replies(answers)
    for reply in replies:
        bench.emit(peer=reply.peer, version=reply.version, stumbled=reply.stumbled, missing=reply.missing)
        bench.note(reply.note())
    start = 0
    for letter, ones in shown.items():
        end = start + len(ones)
        verdicts = [verdict_of(one.answer) for one in ones]
        peers = {reply.peer: reply.opinions[start:end] for reply in replies if not reply.missing}
        report(bench, letter, ones, {OURS: list(map(opinion_of, verdicts)), **peers})
        report_mistakes(bench, letter, ones, verdicts)
        start = end


if __name__ == "__main__":
    main()
