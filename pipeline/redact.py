"""Source addresses as they may be shown: user names, passwords and query strings removed."""

import re

_URL = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)(?P<slashes>://|:/(?=\S*@)|:(?=[^\s/@]*:[^\s@]*@))(?P<rest>\S+)"
)
_NO_USER = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[\w.-]*)(:\d{1,5})?(?=[/?#'\",;)\]]|$)")
_QUERY = re.compile(r"(?P<mark>[?#]).*?(?P<closing>['\"),.:;\]}>]*)$")
_SECRET = re.compile(
    r"(?i)(?P<key>user(name)?|pass(word|wd)?|pwd|token|secret|auth|key)=[^&;/'\"]+"
)


def redact(text: str) -> str:
    """``text`` with the credentials of every URL in it replaced by ``…``.

    What follows the first ``?`` or ``#`` goes as a whole: cameras take passwords there under any
    name. Some take them in the path as ``user=…&password=…``: the values go. When in doubt, as
    with a ``/`` inside a password, more goes than must.
    """
    return _URL.sub(_shown, text)


def _shown(url: re.Match[str]) -> str:
    rest = url["rest"]
    if "@" in rest and not _NO_USER.match(rest):
        rest = "…@" + rest.rpartition("@")[2]
    rest = _QUERY.sub(r"\g<mark>…\g<closing>", rest)
    rest = _SECRET.sub(r"\g<key>=…", rest)
    return f"{url['scheme']}{url['slashes']}{rest}"
