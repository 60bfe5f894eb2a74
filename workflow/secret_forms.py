"""Forms of secrets and of image bytes within text: one row a form, as people and tools write them.

A row names the form and gives a pattern. Its group ``keep`` stays, the rest becomes ``REDACTED``,
or the sample image. Account ids are a row too, because exported tests are committed.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

REDACTED: Final = "REDACTED"
ACCOUNT_PLACEHOLDER: Final = "123456789012"
"""The account id of AWS's documentation."""

SAMPLE_IMAGE: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAA"
    "AABJRU5ErkJggg=="
)
"""A red PNG of 2 x 2 pixels: it stands for every image, so that handlers still accept it."""

SAMPLE_BASE64: Final = base64.b64encode(SAMPLE_IMAGE).decode()

_WORDS: Final = (
    r"(?:passw(?:or)?d|passwort|passphrase|passcode|secret(?!s?-?manager)"
    r"|(?<![a-z])(?:pwd|pass|pw|psw|pin|otp|plaintext)(?![a-z])"
    r"|kennwort|contrase[\u00f1n]a|mot[ _-]de[ _-]passe|senha"
    r"|token|credential|authori[sz]ation|(?<![a-z])auth(?![a-z])|signature|(?<![a-z])sig(?![a-z])"
    r"|cookie|sess(?:ion)?[_-]?id|session[_-]?key|csrf|xsrf|jwt|access[_-]?key"
    r"|(?:api|private|account|encryption|signing|master|ssh|shared[_-]?access|shared"
    r"|subscription|licen[cs]e|client|auth|service|functions?)[_. -]?key)"
)
"""What the name of a secret holds; a key alone is none, for images have keys."""

SECRET_NAME: Final = re.compile(_WORDS, re.IGNORECASE)

_VALUE: Final = (
    r"(?:(?P<open>[bru]{0,2}(?P<quote>\\*[\"']))(?!(?P=quote)(?!\\*[\"']))"
    r"(?:.*?(?<!\\)(?P=quote)|.*)"
    r"|\{[^{}]*\}|\[[^\[\]]*\]"
    r"|(?!\\*[\"'])(?:(?![\"']?(?:[\s,;&)\]}]+(?:\\*[\"'{\[(]|[\w.-]+[=:]|\s|$)|\s|$)"
    r"|\\*[\"'](?:[\s,;:)\]}]|$)|&|</?\w|%26)\S)+)"
)
"""A value after a name: quoted (with escapes, or cut off), an object, a list, or up to a space."""

_NO_SECRETS: Final = (
    r"(?P<harmless>\barn:[\w-]+:[\w-]+:[\w-]*:\d*:[\w+.@:/*-]+"
    r"|(?-i:\b(?:Invalid|Expired|Missing|Unrecognized|Malformed|Incomplete)[A-Z]\w*(?=:\s)"
    r"|\b\w*(?:Exception|Error|Fault|Malformed|DoesNotMatch|NotFound|Required)(?=:\s))"
    r"|\b\w*tokens?(?:_count)?\\*[\"']?\s*[:=]\s*\d{1,9}(?![\w.-])"
    r"|\b[\w-]*" + _WORDS + r"[\w-]*\\*[\"']?\s*[:=]\s*(?:true|false|null|none)\b)"
)
"""What looks like a secret beside its name: ARNs, names of errors, counts of tokens, no value."""

_QUOTE: Final = r"\\*[\"']"
_PAIR: Final = (
    rf"(?P<keep>\b(?:\w*(?:name|key|header|field|option)|k){_QUOTE}?\s*[:=]\s*{_QUOTE}?[\w./-]{{0,99}}{_WORDS}"
    rf"[\w./-]{{0,64}}{_QUOTE}?\s*[,;]?(?:\s|\\n)*{_QUOTE}?"
    rf"\b(?:\w*value|v|val|content){_QUOTE}?\s*[:=]\s*)"
)
"""A name and, as its neighbour, its value: as a container's environment, YAML and XML have them."""

_ODD_QUOTE: Final = r"(?:&quot;|&apos;|&#0?3[49];|\\+u002[27])"
_ODD_NAME: Final = (
    rf"(?P<keep>{_WORDS}[\w.-]{{0,64}}(?:{_ODD_QUOTE}\s*[:=]\s*{_ODD_QUOTE}?"
    rf"|\s*(?:&#61;|&equals;|%253d|[\uff1d\uff1a])\s*{_ODD_QUOTE}?))"
)
"""A name and what parts it from its value, escaped for HTML, JSON or an address, or full width."""

_LINE: Final = r"(?:\\*\r?\n|(?:\\+r)?\\+n)"
_BASE64: Final = r"(?:[A-Za-z0-9+/_-]|%2[BbFf])"
_WRAPPED: Final = (
    rf"(?:={{1,2}}|(?:{_LINE}[ \t]*{_BASE64}{{16,}})*"
    rf"(?:{_LINE}{_BASE64}{{1,75}}={{0,2}}(?![\w ]))?(?:=|%3[Dd]){{0,2}})"
)
"""The rest of base64: padding, or further lines as MIME breaks them, unescaped or as ``\\n``."""

_INDENTED: Final = rf"(?:{_LINE}[ \t]+(?:(?!{_LINE}).)+|{_LINE}[ \t]*-[ \t](?:(?!{_LINE}).)+)+"
"""Further lines that are indented, as YAML has them below a name."""

_WORDED: Final = re.compile(r"[\w.@+-]{1,64}:\S{4,}")

_IMAGE_BASE64: Final = r"(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR|SUkqA|TU0AK|AAAA..Z0eX|Qk(?=.{4}AAAA))"
_IMAGE_BYTES: Final = (
    r"(?:(?:137|-119),?\s+80,?\s+78,?\s+71|(?:255|-1),?\s+(?:216|-40),?\s+(?:255|-1)"
    r"|(?:137|-119),80,78,71|(?:255|-1),(?:216|-40),(?:255|-1)"
    r"|71,\s*73,\s*70,\s*56|82,\s*73,\s*70,\s*70)"
)


@dataclass(frozen=True, slots=True)
class Form:
    """One way in which a secret or an image is written; ``put`` stands in its place."""

    name: str
    pattern: re.Pattern[str]
    put: str | Callable[[re.Match[str]], str] = REDACTED

    def redacted(self, text: str) -> str:
        """Return the text with each occurrence of the form replaced."""
        return self.pattern.sub(self._replace_match, text)

    def _replace_match(self, found: re.Match[str]) -> str:
        put = self.put if isinstance(self.put, str) else self.put(found)
        return f"{found.groupdict().get('keep') or ''}{put}"


def _redact_assigned(found: re.Match[str]) -> str:
    return found["harmless"] or _redact_pair(found)


def _bytes_literal(found: re.Match[str]) -> str:
    """Bytes that are text stay, as far as no other form is in them."""
    binary = found[0].count("\\x") >= 4 or len(found[0]) > 200  # noqa: PLR2004 - few are no image
    return f"b{found['quote']}{REDACTED}{found['quote']}" if binary else found[0]


def _redact_pair(found: re.Match[str]) -> str:
    return f"{found['open'] or ''}{REDACTED}{found['quote'] or ''}"


def _redact_encoded(found: re.Match[str]) -> str:
    """Base64 stays, unless what it decodes to is a name and a password, or holds a secret."""
    if not 16 <= len(found[0]) <= 20_000:  # noqa: PLR2004 - less holds none, more is long data
        return found[0]
    coded = found[0].rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        text = base64.b64decode(coded + "=" * (-len(coded) % 4)).decode("ascii").strip("\0\n")
    except ValueError:
        return found[0]
    if not text.replace("\0", "").replace("\n", "").isprintable():
        return found[0]
    secret = _WORDED.fullmatch(text) or without_secrets(text) != text
    return REDACTED if secret else found[0]


def _compile_form(
    name: str, pattern: str, put: str | Callable[[re.Match[str]], str] = REDACTED, flags: int = 0
) -> Form:
    return Form(name, re.compile(pattern, re.DOTALL | flags), put)


_ANY_CASE: Final = re.IGNORECASE

FORMS: Final = (
    _compile_form(
        "private key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    ),
    _compile_form(
        "data URL",
        rf"(?P<keep>\bdata:[\w.+/-]*(?:;[\w.=-]+)*;base64,)\s*{_BASE64}*{_WRAPPED}",
        SAMPLE_BASE64,
        _ANY_CASE,
    ),
    _compile_form(
        "data URL of text", r"(?P<keep>\bdata:image/[\w.+-]+[;,])(?!base64,)[^\s\"'<>)]+"
    ),
    _compile_form(
        "image as base64",
        rf"(?<![A-Za-z0-9+]){_IMAGE_BASE64}{_BASE64}{{12,}}{_WRAPPED}",
        SAMPLE_BASE64,
    ),
    _compile_form("long data", rf"{_BASE64}{{200,}}{_WRAPPED}"),
    _compile_form(
        "data in lines",
        rf"(?<![A-Za-z0-9+/]){_BASE64}{{60,}}(?:{_LINE}[ \t]*{_BASE64}{{60,}})+{_WRAPPED}",
    ),
    _compile_form(
        "image as hex",
        r"\b(?:0x)?(?:89504e470d0a|ffd8ff[def]|47494638)[0-9a-f]{16,}",
        flags=re.IGNORECASE,
    ),
    _compile_form(
        "bytes as hex pairs",
        r"\b(?:(?:0x|\\*x)?[0-9a-f]{2}[\s:,]+){40,}[0-9a-f]{0,2}",
        flags=re.IGNORECASE,
    ),
    _compile_form(
        "bytes literal",
        r"\bb(?P<quote>[\"'])(?:\\.|(?!(?P=quote)).)*(?:(?P=quote)|\Z)",
        _bytes_literal,
    ),
    _compile_form("image as numbers", rf"(?<![\w.-]){_IMAGE_BYTES}(?:[,\s]+-?\d{{1,3}}(?![\w.]))*"),
    _compile_form(
        "bytes as numbers", r"(?<![\w.-])(?:-?\d{1,3}(?:\s*,\s*|\s+)){31,}(?:-?\d{1,3}(?![\w.]))?"
    ),
    _compile_form(
        "image as text",
        r"(?:[\x89\ufffd]PNG\r?\n|\xff\xd8\xff|\ufffd{2,4}.{0,4}(?:JFIF|Exif)|GIF8[79]a.{0,6}\x00"
        r"|\\u0089PNG|\\xff\\xd8|\\x89PNG).*",
    ),
    _compile_form(
        "private key without its frame",
        rf"(?<![A-Za-z0-9+/])(?:MII[A-Za-z0-9+/]|b3BlbnNzaC1r){_BASE64}{{60,}}{_WRAPPED}",
    ),
    _compile_form(
        "PuTTY key", rf"(?P<keep>Private-Lines:\s*\d+)(?:{_LINE}[ \t]*{_BASE64}+={{0,2}})+"
    ),
    _compile_form(
        "base64 of a secret", rf"(?<![A-Za-z0-9+/_=.-]){_BASE64}+={{0,2}}", _redact_encoded
    ),
    _compile_form(
        "Kubernetes secret",
        rf"(?P<keep>\bkind:\s*Secret\b.{{0,2000}}?\b(?:data|stringData):){_INDENTED}",
    ),
    _compile_form(
        "lines below a name",
        rf"(?P<keep>{_WORDS}[\w.-]{{0,64}}{_QUOTE}?:[ \t]*(?:[|>][-+\d]*[ \t]*)?){_INDENTED}",
        f" {REDACTED}",
        _ANY_CASE,
    ),
    _compile_form("value beside its name", rf"{_PAIR}{_VALUE}", _redact_pair, _ANY_CASE),
    _compile_form(
        "escaped value of a name",
        rf"{_ODD_NAME}(?:(?!{_ODD_QUOTE}|%25|&amp;)\S)+",
        flags=_ANY_CASE,
    ),
    _compile_form(
        "cookie",
        r"(?P<keep>\bcookie\\*[\"']?\s*[:=]\s*\\*[\"']?)"
        r"[^\s=;,\"']+=[^\s;,\"'\\]*(?:;\s*[^\s=;\"']+(?:=[^\s;\"'\\]*)?)*",
        flags=_ANY_CASE,
    ),
    _compile_form(
        "authorization",
        r"(?P<keep>\b(?:authori[sz]ation|auth)\\*[\"']?\s*[:=,]\s*\\*[\"']?)"
        r"(?:digest\s+[^\r\n]+|(?:(?:basic|bearer|token|api-?key|negotiate|ntlm|aws4-[\w-]+)\s+)"
        r"[^\s,\"'\\]+)",
        flags=_ANY_CASE,
    ),
    _compile_form(
        "bearer token",
        r"(?P<keep>\bbearer\s+)(?!(?:tokens?|auth\w*|scheme|realm|header|is|was|and|or)\b)"
        r"[\w.~+/=-]+",
        flags=_ANY_CASE,
    ),
    _compile_form(
        "basic credentials",
        r"(?P<keep>\b[Bb]asic\s+)(?![A-Z]?[a-z]+(?![\w+/=]))[A-Za-z0-9+/_-]{6,}={0,2}",
    ),
    _compile_form(
        "address with a password",
        r"(?<=://)[^/\s:@\"'<>]{0,200}:(?:[^/\s\"'<>]{1,500}|(?!\d{1,5}[/?#])[^@\s\"'<>]{1,500})@",
        f"{REDACTED}@",
    ),
    _compile_form("address with a token", r"(?<=://)[^/\s:@\"'<>]{16,500}(?=@)"),
    _compile_form(
        "database login",
        r"\b[\w.-]{1,200}[:/][^\s:/@\"']{1,200}(?=@(?://|tcp\(|unix\(|[\w.-]+:\d))",
    ),
    _compile_form("AWS access key", r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}"),
    _compile_form(
        "AWS secret key",
        r"(?P<keep>(?:secret|key|aws|credential|REDACTED)[^\n]{0,60}?(?<![A-Za-z0-9/+._-]))"
        r"(?=[^\s]*?(?-i:[a-z]))(?=[^\s]*?(?-i:[A-Z]))[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=._-])",
        flags=_ANY_CASE,
    ),
    _compile_form("AWS session token", r"(?:FwoG|IQoJ|FQoG)[A-Za-z0-9+/_-]{40,}={0,2}"),
    _compile_form("JSON web token", r"(?<![A-Za-z0-9])eyJ[\w-]{8,}(?:\.[\w-]*){1,4}"),
    _compile_form(
        "token of a vendor",
        r"(?<![A-Za-z0-9])(?:gh[a-z]_\w{16,}|github_pat_\w{16,}|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}"
        r"|glpat-[\w-]{16,}|sk-[\w-]{16,}|(?:sk|rk|pk)_(?:live|test)_\w{8,}|whsec_\w{8,}"
        r"|AIza[\w-]{30,}|ya29\.[\w-]{8,}|1//0[\w-]{20,}|GOCSPX-[\w-]{16,}"
        r"|hf_\w{20,}|npm_\w{30,}|pypi-[\w-]{30,}|ABSK[\w+/=-]{40,}|ATATT3x[\w=-]{16,}"
        r"|(?:lin_api|dckr_pat|pscale_(?:tkn|pw|oauth)|rubygems|sntry[su]|figd|ntn|shp(?:at|ca|pa|ss)"
        r"|glsa|glc)_[\w.=-]{16,}|(?:PMAK|NRAK|HRKU|sq0atp|sq0csp|pul|key)-(?=[\w-]*\d)[\w-]{22,}"
        r"|dp\.(?:pt|st|ct|sa)\.[\w-]{16,}|dapi[0-9a-f]{32}|SK[0-9a-f]{32}|pat\w{14}\.[0-9a-f]{32,}"
        r"|\d{8,10}:AA[\w-]{30,}"
        r"|SG\.[\w-]{16,}\.[\w-]{16,}|hv[sb]\.[\w-]{20,}|dop_v1_\w{20,}|AGE-SECRET-KEY-1\w+)",
    ),
    _compile_form(
        "webhook",
        r"(?P<keep>hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/\d+/"
        r"|webhook\.office\.com/webhookb2/|api\.telegram\.org/bot)[\w/@:-]+",
    ),
    _compile_form(
        "password hash", r"\$(?:2[abxy]|[1567y]|gy|apr1|argon2\w*|pbkdf2[\w-]*)\$[^\s:\"',]{8,}"
    ),
    _compile_form(
        "element",
        rf"(?P<keep><(?P<tag>[\w:.-]*{_WORDS}[\w:.-]*)(?:\s[^<>]*)?>)[^<]+(?=<|\Z)",
        flags=_ANY_CASE,
    ),
    _compile_form(
        "value of a name",
        rf"{_NO_SECRETS}|(?P<keep>{_WORDS}[\w.-]{{0,64}}(?:\\*[\"']\]?)?\s*"
        rf"(?:=>|[:=]{{1,2}}|%3d|(?<=[\"'])\s*,(?=\s*\\*[\"'](?!\w+\\*[\"']\s*:)))\s*){_VALUE}",
        _redact_assigned,
        _ANY_CASE,
    ),
    _compile_form(
        "option of a command",
        rf"(?P<keep>(?<!\S)--?[\w-]*{_WORDS}[\w-]*\s+)(?!-)[^\s]+",
        flags=_ANY_CASE,
    ),
    _compile_form(
        "parameter of an address",
        r"(?P<keep>[?&](?:code|policy|key-pair-id)=)[^&\s\"'#]+",
        flags=_ANY_CASE,
    ),
    _compile_form(
        "login of a command",
        r"(?P<keep>(?<!\S)(?:-u|-U|--(?:proxy-)?user)[ =]?[\"']?(?!\d+:\d+(?:\s|$))"
        r"[^\s:\"'/]{1,99}:)"
        r"[^\s\"']+",
    ),
    _compile_form(
        "password of a command",
        r"(?P<keep>\b(?:mysql\w*|mariadb[\w-]*|sshpass|(?:docker|podman)\s+login|redis-cli|ldap\w+"
        r"|7z\w?|zip|unzip)\s[^\n;|&]{0,200}?(?<=\s)-[pPaw]\s?\\*[\"']?)(?![-\"'])[^\s\"'\\]+",
    ),
    _compile_form(
        "password of a statement",
        r"(?P<keep>\b(?:identified\s+(?:with\s+\S+\s+)?by|ConvertTo-SecureString(?:\s+-String)?"
        r"|auth\s+(?:plain|login))\s+)(?:\\*[\"'][^\"']+|[A-Za-z0-9+/]{4,}={1,2})",
        flags=_ANY_CASE,
    ),
    _compile_form(
        "row of a password file",
        r"(?P<keep>(?<!\S)[\w.*-]{1,253}:(?:\d{2,5}|\*):[\w*-]{1,64}:[\w.-]{1,64}:)[^\s:]+",
    ),
    _compile_form(
        "cell of a table",
        rf"(?P<keep>{_WORDS}[\w .-]{{0,64}}\|[ \t]*)[^\s|]+(?=\s*\|)",
        flags=_ANY_CASE,
    ),
    _compile_form(
        "AWS secret key by its look",
        r"(?<![A-Za-z0-9+/=._-])(?=(?:[A-Za-z+/]*\d){2})(?=(?:[a-z0-9+/]*[A-Z]){6})(?=(?:[A-Z0-9+/]*[a-z]){6})"
        r"[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=._-])",
    ),
    _compile_form(
        "named in a sentence",
        r"(?P<keep>\b(?:password|passphrase|passcode|secret|api key)\s+(?:(?:is|was|of)\s+)?)"
        r"(?:\\*[\"'][^\"']+\\*[\"']|(?=\S*\d)[^\s,;]{4,})",
        flags=_ANY_CASE,
    ),
    _compile_form(
        "account id",
        r"(?<!\d)(?<!\d\.)(?:\d{12}|\d{4}-\d{4}-\d{4})(?!\d)(?!-\d{4}\b)",
        ACCOUNT_PLACEHOLDER,
    ),
)
"""In this order: what holds other forms comes first."""


def without_secrets(text: str) -> str:
    """Return the text with every form replaced."""
    for form in FORMS:
        text = form.redacted(text)
    return text
