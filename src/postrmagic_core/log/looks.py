"""What secrets look like in running text, each with what masks it. Pure, and linear in the length of the text."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

MASK = "[redacted]"

# Words that announce a secret in running text, then "=" or ":", then the value, quoted or not.
_WORD = (
    r"(?:passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[ _-]?key|private[_-]?key|access[_-]?key|signing[_-]?key"
    r"|credentials?|session[_-]?id|signature|csrf|jwt)"
)
# A text without its closing quote goes to the end.
_QUOTED = (
    r"""[bruf]{0,2}(?:"{3}(?:[^"]|"(?!""))*(?:"{3}|"{0,2}\Z)|'{3}(?:[^']|'(?!''))*(?:'{3}|'{0,2}\Z)"""
    r"""|"[^"\\]*(?:\\[\s\S][^"\\]*)*(?:"|\\?\Z)|'[^'\\]*(?:\\[\s\S][^'\\]*)*(?:'|\\?\Z))"""
)
# JSON inside JSON: what opened it closes it, a quote behind more backslashes is inside.
_ESCAPED = r"""(?P<escape>\\+)(?P<quote>["'])(?:(?!(?<!\\)(?P=escape)(?P=quote))[\s\S])*(?:(?P=escape)(?P=quote)|\Z)"""
_BARE = r"""[^\s,;&"'<>)\]}]+(?:,(?![\w.-]{1,64}["']?\s?[=:])[^\s,;&"'<>)\]}]+)*"""
# What is masked already stays. A bracket with texts in it goes to where it closes, others where that is near.
_VALUE = (
    r"""(?:\[redacted\]|(?P<open>[\[({])(?=[\[({\s]{0,32}[bruf]{0,2}\\{0,16}["'])"""
    rf"""|[\[({{][^\[\](){{}}\r\n]{{0,1024}}[\])}}]|{_ESCAPED}|{_QUOTED}|{_BARE})"""
)
_ASSIGNED = (
    re.compile(rf"""(?i)({_WORD}[\w-]{{0,32}}(?:\\{{0,16}}["'])?\s{{0,4}}[=:]{{1,3}}>?\s{{0,32}}){_VALUE}"""),
    # Names that are words of any text: as an assignment only, as a query, a form or a repr has it.
    re.compile(
        rf"""(?i)((?<![a-z0-9])(?:auth|pass|pin|otp|totp|sid|assertion)"""
        rf"""(?:=|\\{{0,16}}["']\s{{0,4}}[=:]\s{{0,4}})){_VALUE}"""
    ),
)
_TOKEN = re.compile(rf"""{_ESCAPED}|{_QUOTED}|[\[({{\])}}]""")

# user:password@ and token@ after a scheme. On the web digits and a path are no password but a port.
_LOGIN = re.compile(
    r"""(?i)(?:(?:(?<=http)|(?<=https)|(?<=ws)|(?<=wss))://[^\s/?#@:"'<>]{0,256}:(?!\d{1,5}[/?#])[^\s"'<>]*@"""
    r"""|(?<!http)(?<!https)(?<!ws)(?<!wss)://[^\s/?#@:"'<>]{0,256}:[^\s"'<>]*@"""
    r"""|://[^\s/?#@"'<>]{1,1024}@)"""
)


def _without_login(url: re.Match[str]) -> str:
    """What follows a scheme, to the next blank: taken whole, so that no part of a text is read for each of many."""
    end = url[0].rfind("@") + 1
    if not end:
        return url[0]
    scheme = url.string[max(url.start() - 5, 0) : url.start()]
    return _LOGIN.sub(f"://{MASK}@", scheme + url[0][:end])[len(scheme) :] + url[0][end:]


def _assigned(pattern: re.Pattern[str], text: str) -> str:
    """``text`` with the value behind each of the names masked, brackets and all that is in them too."""
    pieces: list[str] = []
    done = 0
    while (found := pattern.search(text, done)) is not None:
        pieces += text[done : found.end(1)], MASK
        done = found.end() if found["open"] is None else _closed(text, found.start("open"))
    return "".join(pieces) + text[done:]


def _closed(text: str, start: int) -> int:
    """Where the bracket at ``start`` has closed: the end of the text if nowhere."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        depth += (token[0] in "[({") - (token[0] in "])}")
        if depth == 0:
            return token.end()
    return len(text)


def _sub(pattern: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str] = MASK) -> Callable[[str], str]:
    return partial(pattern.sub, replacement)


# Each with what a text (in lower case) has if there is something to find.
STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (
        "-----begin",
        _sub(re.compile(r"(?s)-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}-----|\Z)")),
    ),
    ("://", _sub(re.compile(r"""://[^\s"'<>]*"""), _without_login)),
    (
        "",
        _sub(
            re.compile(r"(?im)\b((?:proxy-)?authorization|(?:set-)?cookie)([\"']?\s{0,4}[=:]\s{0,4})[^\r\n]+"),
            rf"\1\2{MASK}",
        ),
    ),
    (
        "",
        _sub(
            re.compile(r"""(?i)\b(bearer|negotiate)(\s{1,4}|["']?\s{0,4}[=:]\s{0,4}["']?)[\w.~+/=-]{6,}"""),
            rf"\1\2{MASK}",
        ),
    ),
    ("", _sub(re.compile(r"(?i:\b(basic|digest))\s{1,4}(?=[\w.~+/=-]{0,128}[A-Z0-9=])[\w.~+/=-]{6,}"), rf"\1 {MASK}")),
    # Access tokens, and an authorization server's codes, refresh tokens and secrets; a line may end inside one.
    ("pm", _sub(re.compile(r"\b(?:pm_[0-9A-Za-z]{16}_|pm[crs]_)[0-9A-Za-z]{20,}"))),
    # JSON Web Tokens. What begins like one is taken whole, as with URLs.
    (
        "eyj",
        _sub(re.compile(r"\beyJ[\w-]{8,}(\.[\w-]+(?:\.[\w-]*){0,3})?"), lambda found: MASK if found[1] else found[0]),
    ),
    ("", partial(_assigned, _ASSIGNED[0])),
    ("", partial(_assigned, _ASSIGNED[1])),
    # An option of a command, an element, and a pair as headers and parameters are listed.
    (
        "--",
        _sub(
            re.compile(
                rf"""(?i)((?<![\w-])--(?!-)[\w-]{{0,32}}?{_WORD}[\w-]{{0,32}}(?:["'],\s{{0,4}}(?=["'])|\s{{1,4}}))"""
                r"(?!-|\[redacted\]|(?:and|for|in|is|must|needs|option|or|requires?|to|was)\b)"
                rf"""(?:{_QUOTED}|[^\s"'<>]+)"""
            ),
            rf"\1{MASK}",
        ),
    ),
    (
        "</",
        _sub(
            re.compile(
                rf"""(?i)(<[\w.:-]{{0,32}}{_WORD}[\w-]{{0,32}}(?:\s[^<>]{{0,256}})?>)"""
                r"""(?:\s*[^<\s][^<]*(?=</)|<!\[CDATA\[[\s\S]*?(?:\]\]>|\Z))"""
            ),
            rf"\1{MASK}",
        ),
    ),
    (
        ",",
        _sub(
            re.compile(
                rf"""(?i)([(\[]\s{{0,4}}[bru]{{0,2}}(["'])[\w-]{{0,32}}(?:{_WORD}|authorization|cookie)[\w-]{{0,32}}"""
                rf"""\2\s{{0,4}},\s{{0,4}}){_QUOTED}(?=\s{{0,4}}[)\]]|\Z)"""
            ),
            rf"\1{MASK}",
        ),
    ),
    # What a statement was given: SQLAlchemy's errors, to the end of its own text, and MariaDB's.
    (
        "[parameters: ",
        _sub(
            re.compile(r"(?s)\[parameters: .*(?=\]\n\(Background on this error)|\[parameters: .*"),
            f"[parameters: {MASK}",
        ),
    ),
    (
        " '",
        _sub(
            re.compile(
                r"(?is)((?:duplicate entry|incorrect [\w ]{1,40} value:) )"
                r"""'(?:.*'(?= for (?:key|column)|["')]|\Z)|.*\Z)"""
            ),
            rf"\1'{MASK}'",
        ),
    ),
)
