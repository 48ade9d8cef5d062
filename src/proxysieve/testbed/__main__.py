"""Runs a testbed for the process that started this one."""

import argparse
import asyncio

from proxysieve.testbed.process import serve_parent

argparse.ArgumentParser(
    prog="python -m proxysieve.testbed",
    description="Runs a site that bans and forward proxies on loopback, for the parent process: reads a world as a "
    "line of JSON, writes where everything is, and answers each further line with the truth so far.",
).parse_args()
asyncio.run(serve_parent())
