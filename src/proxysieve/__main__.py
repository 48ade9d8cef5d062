"""``python -m proxysieve`` is the same as the command."""

from proxysieve.cli import main

main(prog_name="proxysieve")
