"""The mail kept as files: what the sandbox's mailbox and operators read."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from pathlib import Path

from .sending import Attachment

FILE_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{16}\.eml")


@dataclass(frozen=True, slots=True)
class MailSummary:
    """A line of the mailbox; `name` opens the letter."""

    name: str
    sent_at: datetime
    to: str
    subject: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as its reader gets it."""

    name: str
    sent_at: datetime
    sender: str
    to: str
    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...]


def read_mailbox(data_dir: Path, limit: int = 100) -> list[MailSummary]:
    """The newest letters first."""
    folder = data_dir / "mail"
    names = sorted(
        (path.name for path in folder.glob("*.eml") if FILE_NAME.fullmatch(path.name)), reverse=True
    )
    return [_summary(folder / name) for name in names[:limit]]


def read_mail(data_dir: Path, name: str) -> Letter | None:
    """The letter called `name`, None when there is none of that name."""
    path = data_dir / "mail" / name
    if not FILE_NAME.fullmatch(name) or not path.is_file():
        return None
    email = _parse(path, headers_only=False)
    bodies = {kind: email.get_body((kind,)) for kind in ("plain", "html")}
    return Letter(
        name=name,
        sent_at=email["Date"].datetime,
        sender=str(email["From"]),
        to=str(email["To"]),
        subject=str(email["Subject"]),
        text=bodies["plain"].get_content() if bodies["plain"] else "",
        html=bodies["html"].get_content() if bodies["html"] else "",
        attachments=tuple(
            Attachment(
                filename=part.get_filename() or "",
                content=part.get_content(),
                media_type=part.get_content_type(),
            )
            for part in email.iter_attachments()
        ),
    )


def _summary(path: Path) -> MailSummary:
    email = _parse(path, headers_only=True)
    return MailSummary(
        name=path.name, sent_at=email["Date"].datetime, to=str(email["To"]), subject=str(email["Subject"])
    )


def _parse(path: Path, *, headers_only: bool) -> EmailMessage:
    with path.open("rb") as file:
        parsed = BytesParser(policy=SMTP).parse(file, headersonly=headers_only)
    assert isinstance(parsed, EmailMessage)
    return parsed
