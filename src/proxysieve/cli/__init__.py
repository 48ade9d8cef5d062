"""TALKS: commands of a few lines each."""

from __future__ import annotations

import logging
import sys

import click

from proxysieve.cli.check import check
from proxysieve.cli.completion import completion
from proxysieve.cli.demo import demo
from proxysieve.cli.explain import explain
from proxysieve.cli.fetch import fetch
from proxysieve.cli.forget import forget
from proxysieve.cli.judge import judge
from proxysieve.cli.moving import export, import_
from proxysieve.cli.sessions import sessions
from proxysieve.cli.simulate import simulate
from proxysieve.errors import ConfigError, MissingExtraError, ProxySieveError, StoreError

BAD_INPUT = 2


class Commands(click.Group):
    """Says what is wrong in one sentence where a traceback would help nobody."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; exit status 2 where the input is at fault."""
        try:
            return super().invoke(ctx)
        except (ConfigError, StoreError, MissingExtraError) as error:
            click.echo(f"proxysieve: {error}", err=True)
            ctx.exit(BAD_INPUT)
        except click.UsageError as error:
            command = (error.ctx or ctx).command_path
            click.echo(f"proxysieve: {error.format_message().rstrip('.')}; {command} --help tells more", err=True)
            ctx.exit(BAD_INPUT)
        except ProxySieveError as error:
            click.echo(f"proxysieve: {error}", err=True)
            ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="proxysieve")
@click.option("--verbose", "-v", is_flag=True, help="Log every decision to the standard error.")
def main(*, verbose: bool) -> None:
    """Fetch pages through proxies most of which are blocked.

    proxysieve finds the proxies that a site still answers, keeps using those, and lets the rest go.
    """
    if verbose:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logging.getLogger("proxysieve").addHandler(handler)
        logging.getLogger("proxysieve").setLevel(logging.DEBUG)


main.add_command(check)
main.add_command(completion)
main.add_command(demo)
main.add_command(explain)
main.add_command(export)
main.add_command(fetch)
main.add_command(forget)
main.add_command(import_)
main.add_command(judge)
main.add_command(sessions)
main.add_command(simulate)
