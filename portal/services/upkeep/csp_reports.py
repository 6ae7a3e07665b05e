"""What browsers say our content security policy blocked: counted, never kept as it came."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from urllib.parse import urlsplit

from portal.database.connecting import transaction
from portal.models import CspReport

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

MOST_REPORTS_AT_ONCE = 20
MOST_ROWS = 1000
"""Anybody may report anything: from here on only rows that are known already are counted."""

DIRECTIVE = re.compile(r"[a-z]{2,20}(-[a-z]{2,20}){0,3}")
HOST = re.compile(r"[a-z0-9.-]{1,100}(:[0-9]{1,5})?")
BLOCKED_WORDS = frozenset(
    {"inline", "eval", "wasm-eval", "trusted-types-policy", "trusted-types-sink", "data", "blob"}
)
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Violation:
    """`page` is the address as the browser told it; callers turn it into a rule before it is stored."""

    directive: str
    blocked: str
    page: str


def read(body: JSON) -> list[Violation]:
    """The violations of a body in either format: `report-uri` (one object) or the Reporting API (a list).

    Raises ValueError when it is neither.
    """
    if isinstance(body, dict) and isinstance(body.get("csp-report"), dict):
        report = body["csp-report"]
        assert isinstance(report, dict)
        directive = report.get("effective-directive") or report.get("violated-directive")
        return [_violation(directive, report.get("blocked-uri"), report.get("document-uri"))]
    if isinstance(body, list):
        return list(_of_list(body))
    raise ValueError("no report of a policy")


def _of_list(reports: Sequence[JSON]) -> Iterator[Violation]:
    for report in reports[:MOST_REPORTS_AT_ONCE]:
        if isinstance(report, Mapping) and report.get("type") == "csp-violation":
            facts = report.get("body")
            if isinstance(facts, Mapping):
                yield _violation(
                    facts.get("effectiveDirective"), facts.get("blockedURL"), facts.get("documentURL")
                )


def _violation(directive: JSON, blocked: JSON, page: JSON) -> Violation:
    # Older browsers send the directive with its whole value.
    name = directive.partition(" ")[0] if isinstance(directive, str) else ""
    return Violation(
        directive=name if DIRECTIVE.fullmatch(name) else OTHER,
        blocked=_source(blocked) if isinstance(blocked, str) else OTHER,
        page=page if isinstance(page, str) else "",
    )


def _source(blocked: str) -> str:
    """The word or the origin of what was blocked: its path and query may hold what is nobody's business."""
    if blocked in BLOCKED_WORDS:
        return blocked
    try:
        parts = urlsplit(blocked)
    except ValueError:
        return OTHER
    host = parts.netloc.rpartition("@")[2].lower()
    if parts.scheme in ("http", "https", "ws", "wss") and HOST.fullmatch(host):
        return f"{parts.scheme}://{host}"
    return parts.scheme if parts.scheme in BLOCKED_WORDS else OTHER


def count(violations: Sequence[Violation], *, wall: datetime) -> None:
    """One more for each; `page` is stored as it is given here."""
    with transaction():
        is_full = CspReport.select().count() >= MOST_ROWS
        for violation in violations:
            known = (
                CspReport.update(reports=CspReport.reports + 1, last_seen_at=wall)
                .where(
                    CspReport.directive == violation.directive,
                    CspReport.blocked == violation.blocked,
                    CspReport.page == violation.page,
                )
                .execute()
            )
            if not known and not is_full:
                _insert(violation, wall=wall)


def _insert(violation: Violation, *, wall: datetime) -> None:
    """Counts on when another process was quicker with the same row."""
    CspReport.insert(
        directive=violation.directive,
        blocked=violation.blocked,
        page=violation.page,
        reports=1,
        last_seen_at=wall,
    ).on_conflict(
        conflict_target=[CspReport.directive, CspReport.blocked, CspReport.page],
        update={CspReport.reports: CspReport.reports + 1, CspReport.last_seen_at: wall},
    ).execute()
