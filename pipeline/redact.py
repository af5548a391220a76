"""Source addresses as they may be shown: user names, passwords and query strings removed."""

import re

_USERINFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/?#\s]*@")
_QUERY = re.compile(r"(?P<address>[a-zA-Z][a-zA-Z0-9+.-]*://[^?\s]*)\?[^\s'\"]*")


def redact(text: str) -> str:
    """``text`` with the credentials of every URL in it replaced by ``…``.

    The query goes as a whole: cameras take passwords there under any name.
    """
    text = _USERINFO.sub(r"\g<scheme>…@", text)
    return _QUERY.sub(r"\g<address>?…", text)
