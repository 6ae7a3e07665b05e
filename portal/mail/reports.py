"""Delivery reports as mail servers send them (RFC 3464), read without trusting anything in them."""

from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser

from portal.domain.errors import PortalError

from .writing import one_line

LARGEST_BYTES = 2 * 1024 * 1024
"""A report holds the headers of the letter, or the letter with its documents; ours are far smaller."""
LONGEST_REASON = 200
WHERE_TO = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")
"""Headers that name the address which the report came to."""


class ReportUnusable(PortalError):
    """Not a report that can be read; `why` is the sentence for whoever looks."""

    why: str


class AutomaticReply(ReportUnusable):
    """Sent by itself, to a letter that was: nothing answers it."""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of one letter. `addressed_to` are texts of headers; `reason` is what its server said."""

    addressed_to: tuple[str, ...]
    is_final: bool
    reason: str


def read_report(content: bytes) -> DeliveryReport:
    """Raises ReportUnusable for anything that is not a report, or too large, or cut before what it says."""
    if len(content) > LARGEST_BYTES:
        raise ReportUnusable(why=f"The message is larger than {LARGEST_BYTES // 1024 // 1024} MB.")
    try:
        report = BytesParser().parsebytes(content)
        recipients = _recipients(report)
    except RecursionError:
        raise ReportUnusable(why="The message has more parts inside each other than can be read.") from None
    if recipients is None:
        if _word(report, "Auto-Submitted") not in ("", "no"):
            raise AutomaticReply(why="This is an automatic reply, not a delivery report.")
        raise ReportUnusable(why="This is not a delivery report (RFC 3464).")
    told = [each for each in recipients if _word(each, "Action")]
    if not told:
        raise ReportUnusable(why="The delivery report does not say what became of the letter.")
    final = [each for each in told if _is_final(each)]
    return DeliveryReport(
        addressed_to=tuple(str(value) for name in WHERE_TO for value in report.get_all(name, [])),
        is_final=bool(final),
        reason=_reason((final or told)[0]),
    )


def _recipients(report: Message) -> list[Message] | None:
    """What is said of each recipient; the first group of fields is of the report. None: it is no report."""
    if report.get_content_type() != "multipart/report" or not report.is_multipart():
        return None
    for part in report.get_payload():
        if isinstance(part, Message) and part.get_content_type() == "message/delivery-status":
            groups = part.get_payload()
            return [each for each in groups if isinstance(each, Message)] if isinstance(groups, list) else []
    return None


def _is_final(recipient: Message) -> bool:
    """Given up for good: what failed for now (4.x.x), is late or went on to somebody else is not."""
    return _word(recipient, "Action") == "failed" and _word(recipient, "Status").startswith("5")


def _reason(recipient: Message) -> str:
    said = str(recipient.get("Diagnostic-Code", "")).partition(";")[2] or str(recipient.get("Status", ""))
    return one_line(said.encode("utf-8", "replace").decode())[:LONGEST_REASON]


def _word(message: Message, header: str) -> str:
    return str(message.get(header, "")).partition(";")[0].strip().lower()
