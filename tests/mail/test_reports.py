"""Delivery reports, the corpus of exim 4.96 and whatever else is sent to the address that they come to."""

import random
from pathlib import Path

import pytest

from portal.mail import reports
from portal.mail.reports import AutomaticReply, ReportUnusable, read_report

CORPUS = Path(__file__).parent / "reports"
ADDRESS = "bounces+12-abcdefghijklmnopqrst@portal.example"
REFUSED = (CORPUS / "refused_by_server.eml").read_bytes()
BY_HAND = REFUSED.replace(b"Auto-Submitted: auto-replied\n", b"")
SAYS_NOTHING = "The delivery report does not say what became of the letter."
NOT_A_REPORT = "This is not a delivery report (RFC 3464)."
REPLY = b"From: a@b.test\r\nTo: %s\r\nSubject: Re\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n"


@pytest.mark.parametrize(
    ("name", "is_final", "reason"),
    [
        ("unknown_mailbox", True, "5.0.0"),
        (
            "refused_by_server",
            True,
            "550 5.1.1 <nobody@far.test>: Recipient address rejected: User unknown in virtual mailbox table",
        ),
        ("delayed", False, "4.0.0"),
    ],
)
def test_a_real_report(name, is_final, reason):
    report = read_report((CORPUS / f"{name}.eml").read_bytes())
    assert report.addressed_to == (ADDRESS, ADDRESS)
    assert (report.is_final, report.reason) == (is_final, reason)


@pytest.mark.parametrize(
    "changed",
    [
        # As a pipe of exim, and as mail servers on other systems.
        b"From MAILER-DAEMON Tue Dec 01 05:20:40 2026\n" + REFUSED,
        REFUSED.replace(b"\n", b"\r\n"),
        REFUSED.replace(b"Action: failed", b"action: FAILED"),
        REFUSED.replace(b"us-ascii", b"no-such-charset"),
        REFUSED.replace(b"User unknown", b"User \xff\xfe\x00 unknown"),
        # Cut in the letter that it returns.
        REFUSED[: REFUSED.index(b"Return-path")],
    ],
)
def test_a_report_is_read_however_it_is_written(changed):
    report = read_report(changed)
    assert report.is_final
    assert report.reason.startswith("550 5.1.1") and report.reason.isprintable()


@pytest.mark.parametrize(
    ("changes", "is_final"),
    [
        ((b"Status: 5.0.0", b"Status: 4.4.7"), False),
        ((b"Action: failed", b"Action: delayed"), False),
        ((b"Action: failed", b"Action: relayed"), False),
        ((b"Action: failed", b"Action: expanded"), False),
        ((b"Status: 5.0.0", b"X-Status: 5.0.0"), False),
    ],
)
def test_only_what_failed_for_good_is_final(changes, is_final):
    assert read_report(REFUSED.replace(*changes)).is_final is is_final


def nested(depth):
    head = b"Content-Type: multipart/report; boundary=b%d\r\n\r\n--b%d\r\n"
    return b"".join(head % (n, n) for n in range(depth))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", NOT_A_REPORT),
        (b"\x00" * 1000, NOT_A_REPORT),
        (b"hello", NOT_A_REPORT),
        (random.Random(1).randbytes(20_000), NOT_A_REPORT),
        ("From: é\nTo: bounces\n\nété".encode("utf-16"), NOT_A_REPORT),
        (b"Content-Type: multipart/report\r\n\r\nno boundary", NOT_A_REPORT),
        (b"Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n", NOT_A_REPORT),
        (BY_HAND.replace(b"multipart/report", b"multipart/mixed"), NOT_A_REPORT),
        (BY_HAND.replace(b"message/delivery-status", b"text/plain"), NOT_A_REPORT),
        (REFUSED[: REFUSED.index(b"Action: failed")], SAYS_NOTHING),
        (REFUSED.replace(b"Action:", b"X-Action:"), SAYS_NOTHING),
        (REFUSED + b"x" * reports.LARGEST_BYTES, "The message is larger than 2 MB."),
        (nested(30_000), "The message has more parts inside each other than can be read."),
        (nested(3), NOT_A_REPORT),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused_in_words(content, why):
    with pytest.raises(ReportUnusable) as refused:
        read_report(content)
    assert refused.value.why == why
    assert not isinstance(refused.value, AutomaticReply)


def test_an_automatic_reply_is_known_as_one():
    with pytest.raises(AutomaticReply) as refused:
        read_report(REPLY % ADDRESS.encode())
    assert refused.value.why == "This is an automatic reply, not a delivery report."


def test_a_report_with_wrong_bytes_anywhere_is_read_or_refused():
    chance = random.Random(7)
    for _ in range(500):
        content = bytearray(REFUSED)
        for _ in range(chance.randint(1, 8)):
            place = chance.randrange(len(content))
            if chance.random() < 0.5:
                content[place] = chance.randrange(256)
            else:
                del content[place : place + chance.randint(1, 200)]
        try:
            report = read_report(bytes(content))
        except ReportUnusable:
            continue
        assert len(report.reason) <= reports.LONGEST_REASON and "\n" not in report.reason
