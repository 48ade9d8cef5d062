"""``proxysieve completion``: prints what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from proxysieve.cli.options import command
from proxysieve.cli.printing import echo_lines

SHELLS = ("bash", "zsh", "fish")


@command(short_help="Print what a shell needs to complete commands and options.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete the commands and options of proxysieve.

    \b
    Example:
        eval "$(proxysieve completion bash)"                  in ~/.bashrc
        eval "$(proxysieve completion zsh)"                   in ~/.zshrc
        proxysieve completion fish | source                   in config.fish
    """
    make = get_completion_class(shell)
    assert make is not None  # noqa: S101 - click knows all of them
    echo_lines(make(ctx.find_root().command, {}, "proxysieve", "_PROXYSIEVE_COMPLETE").source())
