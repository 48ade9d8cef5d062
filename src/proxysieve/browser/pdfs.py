"""Has Chromium download PDFs, byte for byte, where it would show them in a viewer.

A preference would do so too, but sites can read it. They cannot see this: only the answer is changed, once it is there.
"""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

from proxysieve.browser.holding import DOCUMENTS, GoOn, hold_up
from proxysieve.browser.redirects import headers_in

PDF = "application/pdf"


async def download_pdfs(page: Page) -> None:
    """Have *page* download the PDFs that it is led to."""
    await hold_up(page, DOCUMENTS, decide=_as_download)


def _as_download(paused: dict[str, Any]) -> GoOn:
    headers = paused.get("responseHeaders", [])
    if not any(kind.lower().startswith(PDF) for name, kind in headers_in(headers) if name == "content-type"):
        return "Fetch.continueResponse", {}
    others = [one for one in headers if one["name"].lower() != "content-disposition"]
    others.append({"name": "Content-Disposition", "value": "attachment"})
    return "Fetch.continueResponse", {"responseHeaders": others, "responseCode": paused["responseStatusCode"]}
