"""Cookies as browsers keep them: read from headers, kept within limits, sent where they belong.

The rules are those of RFC 6265bis (https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html); where it
leaves a choice, Chrome's (https://source.chromium.org/chromium/chromium/src/+/main:net/cookies/). All requests are
taken for navigations of a page's own window, as a page is asked for here and nothing within it. Tests hold the rules to
the cases that browsers share (https://github.com/web-platform-tests/wpt/tree/master/cookies).

No library has these rules. The standard library's jar gives cookies of one host to those below it, knows no
``SameSite``, prefixes, public suffixes or limits, and looks through all cookies for each request. aiohttp's belongs to
an event loop and cannot be handed to other clients.

Names, values and headers are text in which each letter stands for a byte (ISO 8859-1), as in :mod:`http.client`.
"""
