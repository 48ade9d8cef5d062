"""As in Selenium."""

from __future__ import annotations


class WebDriverException(Exception):  # noqa: N818 - its name
    """Anything that went wrong."""

    def __str__(self) -> str:
        return f"Message: unknown error: {self.args[0]}\n  (Session info: chrome)\n"


class TimeoutException(WebDriverException):
    """A page took too long."""
