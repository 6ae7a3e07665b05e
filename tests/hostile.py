"""What nobody should send and somebody will: the groups of trust.md §4 in a form that fits into a test run.

Text is sent as UTF-8; half of a surrogate pair goes as the bytes that no decoder accepts.
"""

from collections.abc import Sequence

from tests.matrix import SHARES, share

EVIL = "evil.example"
MARK = "1337*1337"
"""Where a template is evaluated, SUM appears instead."""
SUM = "1787569"

NAUGHTY = (
    "",
    " ",
    "\t",
    "undefined",
    "null",
    "None",
    "true",
    "NaN",
    "[object Object]",
    "-",
    "../../../../etc/passwd",
    "C:\\Windows\\win.ini",
    "/dev/null; rm -rf ~; #",
    "$(touch /tmp/x) `id`",
    "%00",
    "%n%s%x",
    "\r\nX-Injected: yes",
    "a\nb",
    "\x1b[31mred",
    "\x7f",
    "=" * 60,
    "x" * 201,
    "x" * 100_000,
    "\u0301" * 500,
    "e" + "\u0301" * 500,
    " " * 1000,
)
UNICODE = (
    "\x00",
    "a\x00b",
    "\ud800",
    "a\udfff",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\u200b",
    "\u200d\u200d",
    "\ufeff",
    "\ufffd",
    "\ufffe",
    "\U0001ffff",
    "\u2028",
    "\u3164",
    "e\u0301",
    "\u00e9",
    "\u0130stanbul",
    "stra\u1e9ee",
    "\uff11\uff12\uff13",
    "\u0661\u0662\u0663",
    "\U000e0041",
    "\ue000",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U00020000\U00020001",
    "\u0434\u0436\u0438\u043d",
    "\u05d0\u05d1",
    "\u0633\u0644\u0627\u0645",
    "\ufdfd",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b",
)
MONEY = (
    "-1",
    "0",
    "-0",
    "0.001",
    "1.5",
    "1e3",
    "1E400",
    "Infinity",
    "0x10",
    "1_000",
    "1 000,00",
    "1.000,00",
    "1'000",
    "+5",
    " 5 ",
    "5%",
    "5 EUR",
    "2147483648",
    "9007199254740993",
    "9223372036854775808",
    "1" + "0" * 20,
    "9" * 4301,
    "00000000000000000000001",
    "[5]",
    '{"$gt": 0}',
    "3 OR 1=1",
    "BTC",
    "eur",
    "EUR ",
    "XXX",
)
DATES = (
    "0000-00-00",
    "9999-12-31",
    "2026-02-29",
    "24:00",
    "12/13/2026",
    "-1",
    "2026-W47",
    "00",
    "13",
    "1969",
)
EMAILS = (
    "a@b",
    "a@b@c.test",
    "a@b.test\r\nBcc: victim@c.test",
    "a@b.test%0d%0aBcc:victim@c.test",
    '"quoted local"@b.test',
    "Name <a@b.test>",
    "a@[127.0.0.1]",
    "a@b.test.",
    "a..b@c.test",
    "a(comment)@b.test",
    "\u0430dmin@b.test",
    "a@b\u00e9.test",
    "x" * 65 + "@b.test",
    "a@" + "b" * 250 + ".test",
    "a@b.test,c@d.test",
    "postmaster@localhost",
)
REDIRECTS = (
    f"//{EVIL}",
    f"/\\{EVIL}",
    f"https://{EVIL}/",
    f"http:///{EVIL}",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    f"/%09/{EVIL}",
)
HTML = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</textarea><svg/onload=alert(1)>",
    "</title><iframe srcdoc='x'>",
    '" hx-get="/sign-out" hx-trigger="load" x="',
    "<b data-hx-post=/me hx-on:click=alert(1)>",
    "<style>*{display:none}</style>",
    "<template><form id=x action=/>",
    "<input name=csrf_token value=x>",
    "<a href=javascript:alert(1)>x</a>",
    "<!--",
    "]]>",
    "&lt;script&gt;",
    '{"X-CSRFToken": "x"}',
    "<math><mtext></table><mglyph><style><img src=x onerror=alert(1)>",
)
TEMPLATES = (
    "{{" + MARK + "}}",
    "{% for x in ().__class__.__mro__ %}{% endfor %}",
    "${" + MARK + "}",
    "#{" + MARK + "}",
    "<%= " + MARK + " %>",
    "%(name)s %(x)d",
    "{0.__class__.__mro__}",
    '#read("/etc/passwd")',
    "{{config}}",
)
SQL = (
    "'",
    "' OR '1'='1",
    "'; DROP TABLE person; --",
    "\\",
    "\\'",
    "%",
    "_" * 3,
    "%' AND SLEEP(5) --",
    "x') UNION SELECT password_hash FROM person --",
    "$1",
    "?",
    "1; ATTACH DATABASE '/tmp/x' AS y",
)
FORMULAS = (
    "=1+1",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    ";=1",
    '"=1"',
    '=HYPERLINK("http://evil.example")',
    "=cmd|' /C calc'!A0",
    "\uff1d1+1",
)
VAT = ("FR00000000000", "fr 40 303 265 045", "XI123456789", "EL123456789", "GR123456789", "DE1", "ATU\u0661")

KINDS: dict[str, tuple[str, ...]] = {
    "naughty": NAUGHTY,
    "unicode": UNICODE,
    "money": MONEY,
    "dates": DATES,
    "emails": EMAILS,
    "redirects": REDIRECTS,
    "html": HTML,
    "templates": TEMPLATES,
    "sql": SQL,
    "formulas": FORMULAS,
    "vat": VAT,
}
VALUES: tuple[str, ...] = tuple(dict.fromkeys(value for kind in KINDS.values() for value in kind))

FOR_A_DATABASE = frozenset((*NAUGHTY, *UNICODE, *MONEY, *DATES, *SQL))
"""What one engine may keep, compare or refuse otherwise than another; the rest is for pages and letters."""

NO_TEXT: tuple[str, ...] = tuple(dict.fromkeys((*NAUGHTY, *UNICODE[:8], *MONEY[::2], *HTML[:2], *SQL[:4])))
"""For fields that take a word of ours or a number: nothing of it is kept or shown."""

IDENTIFIERS = (
    "%00",
    "a%00b",
    "%0d%0aSet-Cookie:x=y",
    "%ff%fe",
    "%ed%a0%80",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "0",
    "-1",
    "0x10",
    "1e3",
    "99999999999999999999",
    "2147483648",
    "%D9%A1",
    "1.json",
    "1%20",
    "'%20OR%201=1--",
    "%3Cscript%3E",
    "%E2%80%AE",
    "%7B%7B1337*1337%7D%7D",
    "x" * 121,
    "x" * 5000,
    "null",
    "ACME",
    "acme.",
)
"""In the place of a part of an address, written as it goes over the line."""

EXTRA = {
    "is_admin": "1",
    "is_operator": "1",
    "is_upgrader": "1",
    "role": "owner",
    "status": "active",
    "amount": "1",
    "amount_minor": "1",
    "net_minor": "0",
    "tax_minor": "0",
    "total_minor": "1",
    "amount_paid": "999999",
    "price_id": "1",
    "unit_minor": "1",
    "quantity": "1000000",
    "plan_id": "1",
    "workspace_id": "2",
    "workspace": "2",
    "person_id": "1",
    "person": "1",
    "tenant_id": "2",
    "owner_id": "1",
    "state": "paid",
    "due_on": "2999-01-01",
    "trial_end": "2999-01-01",
    "vat_status": "valid",
    "customer_number": "C-000001",
    "slug": "stolen",
    "id": "1",
    "email_confirmed": "1",
    "_method": "DELETE",
    "__class__": "x",
}
"""Fields that no form has, and that must do nothing."""

HEADERS: tuple[dict[str, str], ...] = (
    {"Accept-Language": "\xff;q=1e400,;;=,fr;q=nan,*;q=0,x-" + "y" * 500},
    {"User-Agent": "\xff\x01\x7f" * 200},
    {"Cookie": 'session="\\000\\377"; session=\xff\xfe; =; a; b=c=d'},
    {"Cookie": "; ".join(f"c{n}=v" for n in range(300))},
    {"Cookie": "session=" + "x." * 2000},
    {"Referer": "javascript:alert(1)"},
    {"Referer": "http://[::1"},
    {"Range": "bytes=0-1,2-3,-1", "If-Range": "x", "If-None-Match": "*", "If-Modified-Since": "never"},
    {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "\xff#" + "x" * 3000},
    {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "a#super"},
    {"HX-Request": "true", "HX-Current-URL": f"https://{EVIL}/", "HX-Prompt": "\xff"},
    {"HX-Request": "true", "HX-Current-URL-URI-AutoEncoded": "true", "HX-Current-URL": "%ff%00"},
    {"Accept": "application/x-nothing", "Accept-Encoding": "gzip;q=0, \xff"},
    {"Content-Type": "multipart/form-data"},
    {"Content-Type": "application/x-www-form-urlencoded; charset=utf-7"},
    {"Content-Encoding": "gzip"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"Sec-Fetch-Site": "\xff", "Sec-Fetch-Mode": "x"},
)

BODIES: tuple[tuple[str, bytes], ...] = (
    ("application/x-www-form-urlencoded", b"&&&=&=x&%&%zz&\xff=\xff"),
    ("application/x-www-form-urlencoded", b"csrf_token=" + b"%00" * 1000),
    ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(5000))),
    ("application/x-www-form-urlencoded; charset=utf-16", b"\xff\xfen\x00a\x00m\x00e\x00"),
    ("application/json", b"[" * 10_000),
    ("application/json", b'{"name": {"$gt": 0}, "name": 1}'),
    ("application/json", b"\xef\xbb\xbf{}"),
    ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"'),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="email"; filename="../../x"\r\n\r\n\xff\r\n--x--\r\n',
    ),
    (
        "multipart/form-data; boundary=x",
        b"".join(b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n1\r\n' for _ in range(1100))
        + b"--x--",
    ),
    ("text/xml", b'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>'),
    ("\xff", b"\x00"),
    ("", b"x"),
)
"""(content type, body)"""


def some_of(values: Sequence[str], turn: int, *, shares: int = SHARES) -> list[str]:
    """Of each kind that is among them, the share whose turn it is; all of them with FULL=1.

    Those for a database come first: what is sent there alone meets what it met where everything is sent.
    """
    of_kinds = ([each for each in kind if each in values] for kind in KINDS.values())
    wanted = {value for possible in of_kinds for value in share(possible, turn, shares=shares)}
    return sorted((each for each in values if each in wanted), key=lambda each: each not in FOR_A_DATABASE)
