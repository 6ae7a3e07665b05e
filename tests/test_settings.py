"""Each variable is judged at start: what it may say, and one sentence for everything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal import require_printable_names
from portal.settings import SettingsError, known_variables, read_settings
from portal.settings.seller import DEMO, bic, country_of_seller, iban, printed, vat_number

ROOT = Path(__file__).resolve().parent.parent
KEY = "only-for-tests-" * 4
WITH_A_KEY = {"PORTAL_SECRET_KEY": KEY}

# Variable → what it may not say. Every kind of nonsense that somebody typed, pasted or generated.
NONSENSE = {
    "BASE_URL": [
        "",
        "billing.example.com",
        "billing.example.com:8000",
        "ftp://billing.example.com",
        "https://",
        "https:///plans",
        "https://billing.example.com/portal",
        "https://billing.example.com/portal/",
        "https://billing.example.com?x=1",
        "https://billing.example.com/?",
        "https://billing.example.com#top",
        "https://jeanne@billing.example.com",
        "https://jeanne:secret@billing.example.com",
        "https://billing example.com",
        "https://billing.example.com, https://www.example.com",
        "https://billing.example.com:99999",
        "https://billing.example.com:0",
        "https://billing.example.com:https",
        "https://billing..example.com",
        "https://billing.example.com.",
        "https://-billing.example.com",
        "https://[::1",
        "https://[billing]",
        "https://300.1.1.1",
        "https://müller.example",
        "http://billing.example.com",
        "http://127.0.0.1.evil.example",
        "https:\\\\billing.example.com",
        "https://billing.example.com\nx",
        "https://" + "a" * 64 + ".example",
    ],
    "DATA_DIR": [
        "",
        "{file}",
        "{file}/inside",
        "~/portal",
        "/proc/version/x",
        "{folder}/" + "x" * 300,
        "https://example.com/var",
    ],
    "DATABASE_URL": [
        "",
        "mysql://elsewhere/portal",
        "portal.sqlite",
        "sqlite://portal.sqlite",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///{folder}",
        "sqlite:///{folder}/",
        "sqlite:///{file}/portal.sqlite",
        "sqlite:///{folder}/portal.sqlite?mode=ro",
        "sqlite:///{folder}/a%20b.sqlite",
        "postgresql://",
        "postgresql://127.0.0.1",
        "postgresql://127.0.0.1/",
        "postgresql://127.0.0.1/portal/public",
        "postgresql://127.0.0.1:99999/portal",
        "postgresql://127.0.0.1:port/portal",
        "postgresql://portal:secret@/portal",
        "postgresql://data base/portal",
        "postgresql://[::1/portal",
        "postgresql://127.0.0.1/portal?sslmod=require",
        "amqp://127.0.0.1/portal",
    ],
    "QUEUE_URL": [
        "",
        "amqp://127.0.0.1",
        "memory://",
        "redis",
        "redis://",
        "redis://127.0.0.1:99999/0",
        "redis://127.0.0.1:-1/0",
        "redis://127.0.0.1/jobs",
        "redis://127.0.0.1/0/1",
        "redis://127.0.0.1/0?sokcet_timeout=5",
        "redis://127.0.0.1/0?socket_timeout=soon",
        "sqlite:///",
        "sqlite:///{folder}",
        "sqlite:///{folder}/portal.sqlite",
        "postgresql://127.0.0.1",
    ],
    "SECRET_KEY": ["short", "x" * 31, "x" * 64, "ab" * 40, "two words that are long enough to be a key"],
    "SECRET_KEY_FALLBACKS": [
        "short",
        f"{KEY[1:]},",
        f",{KEY[1:]}",
        f"{KEY[1:]}, ,{KEY[2:]}",
        f"{KEY[1:]} b",
        KEY,
    ],
    "TRUSTED_PROXIES": ["", "-1", "eleven", "1.5", "11", "٣", "1e0", "127.0.0.1", " ", "+1", "9" * 400],
    "SESSION_BINDING": ["", "Strict", "none", "strict,off"],
    "SMTP_URL": [
        "mail.example.com",
        "smtp://",
        "smtp:///",
        "smtps://:465",
        "http://mail.example.com",
        "smtp://mail.example.com:99999",
        "smtp://mail.example.com:smtp",
        "smtp://mail example.com",
        "smtp://jeanne:secret@mail.example.com",
        "starttls://jeanne@mail.example.com",
        "starttls://:secret@mail.example.com",
        "starttls://jeanne:sécret@mail.example.com",
        "starttls://jeanne:s%C3%A9cret@mail.example.com",
        "starttls://jeanne:a/b@mail.example.com",
        "starttls://jeanne:a#b@mail.example.com",
        "starttls://mail.example.com/inbox",
        "smtps://[::1",
    ],
    "BOUNCE_ADDRESS": [
        "bounces",
        "@example.com",
        "bounces@example..com",
        "bounces+1@example.com",
        "Bounces <bounces@example.com>",
        "a@example.com, b@example.com",
        "bounces@example.com\nBcc: other@example.com",
        "b" * 28 + "@example.com",
    ],
    "MAIL_FROM": [
        "",
        "Example Billing",
        "billing",
        "billing@",
        "@example.com",
        "billing@example..com",
        "billing@@example.com",
        "billing@example.com, other@example.com",
        "Example <billing@example.com> <other@example.com>",
        "Example <billing at example.com>",
        "Example <billing@example.com>\nBcc: other@example.com",
        "bílling@example.com",
        "Ex" * 200 + " <billing@example.com>",
    ],
    "GATEWAYS": ["", "stripe", "sandbox,", ",", "sandbox,sandbox", "Sandbox", "sandbox;stripe"],
    "GATEWAY_TIMEOUT": ["", "nan", "inf", "-inf", "0", "-1", "1e1", "8,5", "8s", "3600", "٨", "1_0"],
    "GATEWAY_RATE": ["", "0", "-20", "20.5", "nan", "many", "99999999"],
    "GATEWAY_RUN_SHARE": ["", "0", "-0.5", "1.01", "80%", "nan", "inf", "0,8"],
    "SELLER_NAME": ["", "—", "\u202eSAS", "A" * 201, "A\tB", "A\nB"],
    "SELLER_ADDRESS": [
        "",
        "24 rue X\\n\\n69002 Lyon",
        "\\n",
        "\\n".join("abcdefghi"),
        "A" * 201,
        "24\true X",
        "–\\n.",
    ],
    "SELLER_COUNTRY": ["", "ZZ", "GB", "CH", "US", "France", "F", "F1", "GP", "EU", "XX", "ФР"],
    "SELLER_VAT_NUMBER": ["", "FR00", "FR40303265046", "DE136695976", "none", "0", "FR40303265045 FR"],
    "SELLER_IBAN": [
        "",
        "FR7630006000011234567890188",
        "FR76",
        "none",
        "ZZ7630006000011234567890189",
        "0" * 27,
    ],
    "SELLER_POSTAL_CODE": ["", "75002", "x" * 300],
    "SELLER_CITY": ["", "Paris"],
    "SELLER_LEGAL_NUMBER": ["1", "303265046", "732829320", "x" * 300],
    "SELLER_ELECTRONIC_ADDRESS": ["", "303265045", "0225:", "0225:a b", "x" * 300],
    "SELLER_VAT_ON_DEBITS": ["", "true", "YES"],
    "SELLER_CURRENCY": ["", "EURO", "XXX", "FRF", "€"],
    "SELLER_BIC": ["", "AGRI", "AGRIFRPPX", "AGRIZZPP", "4GRIFRPP!", "Crédit A"],
    "SELLER_TIME_ZONE": [
        "",
        "Mars/Olympus",
        "Europe",
        "Europe/",
        "../../etc/passwd",
        "/usr/share/zoneinfo/UTC",
        "CET+1",
        "+02:00",
        "right/Europe/Paris",
        "localtime",
        "posixrules",
        "Factory",
        "Europe/Paris\x00",
    ],
    "UNCHECKED_VAT": ["", "yes", "Accept", "accept,charge"],
    "LOCALES": ["", "xx", "fr,xx", "fr en", "fr,fr", "fr_FR", "FR", "fr,,en"],
    "GRACE_DAYS": ["", "-1", "1.5", "ten", "91", "1 day"],
    "DUNNING_DAYS": ["", "0", "-1,3", "3,1", "1,3,3", "1,3,", "1;3", "1,3,61", "1,2.5", "one"],
    "CLOCK_FILE": ["", "{folder}", "{file}/clock.json", "~/clock.json", "{folder}/portal.sqlite"],
    "LIMITS": ["", "0", "-1", "0.5", "1e3", "1000001", "99999999999999999999", "off"],
    "LEASE_SECONDS": ["", "0", "-120", "29", "3601", "2m"],
    "VIES_URL": [
        "ftp://register.example/x",
        "http://register.example/x",
        "https://user@register.example/x",
        "https://register.example/x?to=y",
        "https:///x",
    ],
    "SENTRY_DSN": [
        "sentry",
        "https://",
        "https://errors.example.com/1",
        "https://key@errors.example.com",
        "ftp://k@h/1",
    ],
    "BRAND_NAME": ["", "—", "N" * 41, "A\nB", "\u202eecila"],
    "BRAND_ACCENT": [
        "blue",
        "#fff",
        "1752c4",
        "#1752cg",
        "#1752c4ff",
        "rgb(0,0,0)",
        "#1752c4;}",
        "red",
        "#١٢٣٤٥٦",
    ],
    "BRAND_LOGO": [
        "{folder}/missing.svg",
        "{folder}",
        "{file}",
        "/proc/self/mem",
        "https://example.com/logo.svg",
    ],
}
CASES = [(f"PORTAL_{name}", value) for name, values in NONSENSE.items() for value in values]


@pytest.fixture
def surroundings(tmp_path) -> dict[str, str]:
    """What stands for `{folder}` and `{file}`: an empty folder, and a file with a line of text."""
    file = tmp_path / "notes.txt"
    file.write_text("no picture\n")
    return {"folder": str(tmp_path), "file": str(file)}


def placed(value: str, surroundings: dict[str, str]) -> str:
    for word, path in surroundings.items():
        value = value.replace(f"{{{word}}}", path)
    return value


def read(environ: dict[str, str], tmp_path: Path):
    return read_settings({**WITH_A_KEY, "PORTAL_DATA_DIR": str(tmp_path), **environ})


# --- nonsense -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), CASES, ids=[f"{name}={value[:40]!a}" for name, value in CASES])
def test_nonsense_is_refused_in_one_sentence_that_names_the_variable(
    name, value, tmp_path, surroundings
) -> None:
    with pytest.raises(SettingsError) as refusal:
        read({name: placed(value, surroundings)}, tmp_path)
    sentence = str(refusal.value)
    assert name in sentence
    assert sentence.splitlines() == [sentence]
    assert sentence.endswith(".")
    assert len(sentence) < 400
    assert "secret" not in sentence.replace("secret_key", "").replace("secrets", "")


def test_nonsense_is_tried_with_every_variable(tmp_path) -> None:
    assert {name for name, _value in CASES} == known_variables(
        {**WITH_A_KEY, "PORTAL_DATA_DIR": str(tmp_path)}
    )


@pytest.mark.parametrize("name", sorted({name for name, _value in CASES}))
def test_bytes_that_are_no_text_are_refused(name, tmp_path) -> None:
    """Python reads them as lone surrogates, which no database, letter or document could write."""
    with pytest.raises(SettingsError, match=f"{name} must be text in UTF-8"):
        read({name: "\udcff" * 40}, tmp_path)


@pytest.mark.parametrize("name", list(DEMO))
def test_with_real_money_nothing_of_the_seller_may_be_missing(name, tmp_path, monkeypatch) -> None:
    from portal import settings

    monkeypatch.setattr(settings, "KNOWN_GATEWAYS", ("sandbox", "bank_transfer"))
    told = {**DEMO, "PORTAL_GATEWAYS": "bank_transfer"}
    assert read(told, tmp_path).seller.country == "FR"
    del told[name]
    with pytest.raises(SettingsError, match=f"{name} is missing"):
        read(told, tmp_path)


def test_a_lease_must_outlast_the_gateway(tmp_path) -> None:
    with pytest.raises(
        SettingsError, match="PORTAL_LEASE_SECONDS must be longer than PORTAL_GATEWAY_TIMEOUT"
    ):
        read({"PORTAL_LEASE_SECONDS": "30", "PORTAL_GATEWAY_TIMEOUT": "45"}, tmp_path)


@pytest.mark.parametrize("content", ["", "short", "\n", "x" * 64, b"\xff" * 40], ids=repr)
def test_a_kept_secret_key_that_is_none_is_refused(content, tmp_path) -> None:
    (tmp_path / "secret_key").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError, match="secret_key"):
        read({"PORTAL_SECRET_KEY": ""}, tmp_path)


def test_a_secret_key_that_cannot_be_kept_is_one_sentence(tmp_path) -> None:
    (tmp_path / "secret_key").mkdir()
    with pytest.raises(SettingsError, match="PORTAL_SECRET_KEY is not set, and no key can be kept"):
        read({"PORTAL_SECRET_KEY": ""}, tmp_path)


@pytest.mark.parametrize("name", ["PORTAL_SELLER_NAME", "PORTAL_SELLER_ADDRESS", "PORTAL_BRAND_NAME"])
def test_what_no_invoice_can_show_of_the_vendor_is_refused(name, tmp_path) -> None:
    with pytest.raises(SettingsError, match=f"^{name} has 𓀀, which invoices cannot show"):
        require_printable_names(read({name: "Société 𓀀"}, tmp_path))
    require_printable_names(read({name: "Société 台灣"}, tmp_path))


# --- sense ----------------------------------------------------------------------------------------


def test_the_make_believe_seller_would_be_accepted_as_a_real_one() -> None:
    """It is not judged at each start, so here."""
    assert printed("", DEMO["PORTAL_SELLER_NAME"])
    assert country_of_seller("", DEMO["PORTAL_SELLER_COUNTRY"]) == "FR"
    number = DEMO["PORTAL_SELLER_VAT_NUMBER"]
    assert vat_number("", number, country="FR") == number
    assert iban("", DEMO["PORTAL_SELLER_IBAN"]) == DEMO["PORTAL_SELLER_IBAN"]
    assert bic("", DEMO["PORTAL_SELLER_BIC"]) == DEMO["PORTAL_SELLER_BIC"]


@pytest.mark.parametrize(
    ("typed", "read_as"),
    [
        ("https://billing.example.com/", "https://billing.example.com"),
        ("HTTPS://Billing.Example.COM", "https://billing.example.com"),
        ("https://billing.example.com:443", "https://billing.example.com"),
        ("https://billing.example.com:8443//", "https://billing.example.com:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://LOCALHOST:8000", "http://localhost:8000"),
        ("http://[0:0::1]:8000", "http://[::1]:8000"),
        ("https://xn--mller-kva.example", "https://xn--mller-kva.example"),
        ("  https://192.0.2.7  ", "https://192.0.2.7"),
    ],
)
def test_the_base_url_is_kept_as_browsers_send_it(typed, read_as, tmp_path) -> None:
    assert read({"PORTAL_BASE_URL": typed}, tmp_path).base_url == read_as


def test_a_host_that_browsers_write_otherwise_is_told_how(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"xn--mller-kva\.example"):
        read({"PORTAL_BASE_URL": "https://müller.example"}, tmp_path)


SELLER_FACTS = {
    "name": "Atelier Logiciel SAS",
    "address": ["24 rue des Tanneurs", "69002 Lyon", "France"],
    "country": "FR",
    "vat_number": "FR40303265045",
    "iban": "FR7630006000011234567890189",
    "bic": "AGRIFRPP",
    "street": ["24 rue des Tanneurs"],
    "postal_code": "69002",
    "city": "Lyon",
    "legal_number": "303265045",
    "electronic_address": "0225:303265045",
    "vat_on_debits": False,
    "currency": "EUR",
}
SENSE = [
    ("SELLER_COUNTRY", "fr", "seller.country", "FR"),
    ("SELLER_TIME_ZONE", "Pacific/Auckland", "seller.time_zone", "Pacific/Auckland"),
    ("SELLER_VAT_NUMBER", "fr 40 303 265 045", "seller.vat_number", "FR40303265045"),
    ("SELLER_IBAN", "fr76 3000 6000 0112 3456 7890 189", "seller.iban", "FR7630006000011234567890189"),
    ("SELLER_BIC", "agrifrpp882", "seller.bic", "AGRIFRPP882"),
    ("SELLER_ADDRESS", "1 rue X\\n75002 Paris", "seller.address", ("1 rue X", "75002 Paris")),
    ("SELLER_ADDRESS", "1 rue X\\n75002 Paris", "seller.city", ""),
    ("SELLER_CITY", "Lyon", "seller.facts", SELLER_FACTS),
    ("SELLER_LEGAL_NUMBER", "303 265 045", "seller.legal_number", "303265045"),
    ("SELLER_LEGAL_NUMBER", "303 265 045 00011", "seller.legal_number", "30326504500011"),
    ("SELLER_ELECTRONIC_ADDRESS", "0225:303265045_A", "seller.electronic_address", "0225:303265045_A"),
    ("SELLER_VAT_ON_DEBITS", "yes", "seller.vat_on_debits", True),
    ("SELLER_CURRENCY", "chf", "seller.currency", "CHF"),
    ("SELLER_NAME", "Société\u00a0& Cie", "seller.name", "Société\u00a0& Cie"),
    ("SMTP_URL", "", "smtp_url", None),
    ("MAIL_FROM", "billing@intranet", "mail_from", "billing@intranet"),
    ("BOUNCE_ADDRESS", "", "bounce_address", None),
    ("BOUNCE_ADDRESS", "Bounces@Müller.example", "bounce_address", "bounces@xn--mller-kva.example"),
    ("MAIL_FROM", '"Ex, Ample" <b@x.example>', "mail_from", '"Ex, Ample" <b@x.example>'),
    ("MAIL_FROM", "Facturation <b@müller.example>", "mail_from", "Facturation <b@xn--mller-kva.example>"),
    ("DUNNING_DAYS", "2, 5 ,60", "dunning_days", (2, 5, 60)),
    ("LOCALES", "en", "locales", ("en",)),
    ("GATEWAY_TIMEOUT", "0.5", "gateway_timeout_seconds", 0.5),
    ("DATABASE_URL", "postgres://portal:p%40ss@db_1:5432/portal", "is_https", False),
    ("DATABASE_URL", "postgresql:///portal?host=/var/run/postgresql", "is_https", False),
    ("QUEUE_URL", "rediss://:p@redis:6379/1", "is_https", False),
    ("SENTRY_DSN", "https://key@errors.example.com/42", "sentry_dsn", "https://key@errors.example.com/42"),
]


@pytest.mark.parametrize(("name", "typed", "where", "read_as"), SENSE)
def test_sense_is_accepted(name, typed, where, read_as, tmp_path) -> None:
    found = read({f"PORTAL_{name}": typed}, tmp_path)
    for part in where.split("."):
        found = getattr(found, part)
    assert found == read_as


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("DE", "DE136695976"),
        ("GR", "EL094259216"),
        ("EL", "EL094259216"),
        ("MC", "FR40303265045"),
        ("IE", "6433435F"),
    ],
)
def test_a_seller_sits_anywhere_in_the_union(country, number, tmp_path) -> None:
    told = {"PORTAL_SELLER_COUNTRY": country, "PORTAL_SELLER_VAT_NUMBER": number}
    assert read(told, tmp_path).seller.vat_number.endswith(number)


@pytest.mark.parametrize(
    ("country", "vat_number", "currency", "legal_number", "address"),
    [
        ("FR", "FR40303265045", "EUR", "303265045", "0225:303265045"),
        ("SE", "SE123456789701", "SEK", "", ""),
        ("DE", "DE136695976", "EUR", "", ""),
    ],
)
def test_what_is_not_told_of_the_seller_follows_from_its_country(
    country, vat_number, currency, legal_number, address, tmp_path
) -> None:
    told = {"PORTAL_SELLER_COUNTRY": country, "PORTAL_SELLER_VAT_NUMBER": vat_number}
    seller = read({**told, "PORTAL_SELLER_NAME": "Example"}, tmp_path).seller
    assert (seller.currency, seller.legal_number, seller.electronic_address) == (
        currency,
        legal_number,
        address,
    )


def test_a_country_and_a_vat_number_that_disagree_are_told_together(tmp_path) -> None:
    with pytest.raises(SettingsError) as refusal:
        read({"PORTAL_SELLER_COUNTRY": "DE"}, tmp_path)
    assert "PORTAL_SELLER_VAT_NUMBER" in str(refusal.value)
    assert "PORTAL_SELLER_COUNTRY, which is DE" in str(refusal.value)


# --- files ----------------------------------------------------------------------------------------


def test_what_is_made_at_the_first_start_is_for_its_owner_alone(tmp_path) -> None:
    """Even where everything else on the machine is made for all to read."""
    data_dir = tmp_path / "data"
    answer = command({"PORTAL_DATA_DIR": str(data_dir)}, "migrate", umask=0)
    assert answer.returncode == 0, answer.stderr
    answer = command({"PORTAL_DATA_DIR": str(data_dir)}, "drain", umask=0)
    assert answer.returncode == 0, answer.stderr
    made = (data_dir, *data_dir.rglob("*"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in made if path.is_file()}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}
    assert {"portal.sqlite", "secret_key"} <= set(modes)
    assert set(modes.values()) == {0o600}


# --- through the real command ---------------------------------------------------------------------


def command(environ: dict[str, str], *words: str, umask: int = -1) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "portal.commands.cli", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environ},
        umask=umask,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORTAL_SELLER_TIME_ZONE", "Mars/Olympus", ["serve", "--port", "0"]),
        ("PORTAL_SELLER_COUNTRY", "ZZ", ["doctor"]),
        ("PORTAL_QUEUE_URL", "amqp://127.0.0.1", ["worker"]),
        ("PORTAL_BASE_URL", "https://billing.example/portal", ["serve", "--embedded", "--port", "0"]),
        ("PORTAL_DATA_DIR", "/proc/version/x", ["migrate"]),
        ("PORTAL_MAIL_FROM", "nobody", ["run-due"]),
        ("PORTAL_SELLER_NAME", "\udcff", ["check"]),
        ("PORTAL_SELLER_NAME", "Acme 𓀀", ["serve", "--port", "0"]),
    ],
)
def test_a_command_ends_with_the_sentence_and_nothing_else(name, value, words, tmp_path) -> None:
    answer = command({"PORTAL_DATA_DIR": str(tmp_path), name: value}, *words)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith("Error: ") and name in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


BROKEN = {
    "portal.sqlite": ("PORTAL_DATABASE_URL", [["serve", "--port", "0"], ["migrate"], ["check"]]),
    "portal-queue.sqlite": ("PORTAL_QUEUE_URL", [["worker"], ["serve", "--embedded", "--port", "0"]]),
    "clock.json": ("clock.json", [["serve", "--port", "0"], ["clock", "show"], ["run-due"]]),
}


@pytest.mark.parametrize("file", BROKEN)
def test_a_broken_file_is_one_sentence_in_every_command(file, tmp_path, sqlite_template) -> None:
    (tmp_path / "portal.sqlite").write_bytes(sqlite_template.read_bytes())
    (tmp_path / file).write_bytes(b"neither SQLite nor JSON " * 200)
    name, commands = BROKEN[file]
    for words in commands:
        answer = command({"PORTAL_DATA_DIR": str(tmp_path)}, *words)
        assert (answer.returncode, answer.stdout) == (1, ""), words
        assert name in answer.stderr, words
        assert len(answer.stderr.splitlines()) == 1, answer.stderr


@pytest.mark.parametrize("file", [*BROKEN, "sandbox.sqlite"])
def test_the_doctor_names_a_broken_file(file, tmp_path, sqlite_template) -> None:
    (tmp_path / "portal.sqlite").write_bytes(sqlite_template.read_bytes())
    (tmp_path / file).write_bytes(b"neither SQLite nor JSON " * 200)
    answer = command({"PORTAL_DATA_DIR": str(tmp_path)}, "doctor")
    assert answer.returncode == 1
    assert answer.stderr == ""
    assert [
        line
        for line in answer.stdout.splitlines()
        if line.startswith("FAULT") and file.partition(".")[0] in line
    ]
