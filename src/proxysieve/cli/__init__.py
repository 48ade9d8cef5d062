"""TALKS: the commands, a few lines each."""

from __future__ import annotations

from typing import NoReturn

import click

from proxysieve.cli.check import check
from proxysieve.cli.completion import completion
from proxysieve.cli.demo import demo
from proxysieve.cli.explain import explain
from proxysieve.cli.fetch import INTERRUPTED, fetch
from proxysieve.cli.forget import forget
from proxysieve.cli.judge import judge
from proxysieve.cli.log import logging_to_terminal
from proxysieve.cli.moving import export, import_
from proxysieve.cli.printing import WIDTH, complain
from proxysieve.cli.sessions import sessions
from proxysieve.cli.simulate import simulate
from proxysieve.errors import ConfigError, MissingExtraError, ProxySieveError, StoreError

BAD_INPUT = 2
SECTIONS = {
    "The job": (fetch, check, demo),
    "What is known, and why": (explain, sessions, judge),
    "What is kept": (export, import_, forget),
    "Besides": (simulate, completion),
}


class Commands(click.Group):
    """Says what is wrong in one sentence where a traceback would help nobody, and shows its commands in sections."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what stands before the command; exit status 2 where it is at fault."""
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            self._refuse(error, ctx)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; exit status 2 where the input is at fault."""
        try:
            return super().invoke(ctx)
        except (ConfigError, StoreError, MissingExtraError) as error:
            complain(error)
            ctx.exit(BAD_INPUT)
        except click.UsageError as error:
            self._refuse(error, ctx)
        except ProxySieveError as error:
            complain(error)
            ctx.exit(1)
        except KeyboardInterrupt:
            complain("interrupted")
            ctx.exit(INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the commands, section by section."""
        # The same column for all sections.
        longest = max(map(len, self.commands))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [((one.name or "").ljust(longest), one.get_short_help_str(WIDTH)) for one in commands]
                )

    def _refuse(self, error: click.UsageError, ctx: click.Context) -> NoReturn:
        said = self._misplaced(error, ctx) or " ".join(error.format_message().split()).rstrip(".")
        end = "" if said.endswith(("?", "?)")) else ";"
        complain(f"{said}{end} {(error.ctx or ctx).command_path} --help tells more")
        ctx.exit(BAD_INPUT)

    def _misplaced(self, error: click.UsageError, ctx: click.Context) -> str:
        """That an option stands on the wrong side of the command, if that is what is wrong."""
        if not isinstance(error, click.NoSuchOption):
            return ""
        name, is_before = error.option_name, error.ctx in {None, ctx}
        if is_before and any(name in one.opts for command in self.commands.values() for one in command.params):
            return f"{name} stands behind the command"
        if not is_before and any(name in one.opts for one in self.params):
            return f"{name} stands before the command"
        return ""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="proxysieve")
@click.option("--verbose", "-v", is_flag=True, help="Log every decision on the standard error.")
def main(*, verbose: bool) -> None:
    """Fetch pages through proxies most of which are blocked.

    proxysieve finds the proxies that a site still answers, keeps using those, and lets the rest go.

    \b
    Example:
        proxysieve fetch urls.txt --proxies proxies.txt --out pages.jsonl
        proxysieve fetch --help
    """
    click.get_current_context().with_resource(logging_to_terminal(verbose=verbose))


for _commands in SECTIONS.values():
    for _command in _commands:
        main.add_command(_command)
