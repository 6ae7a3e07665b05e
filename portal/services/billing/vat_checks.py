"""VAT numbers are asked of the official register behind the back of whoever saved or used one.

Nobody waits for it: until it answers the number is *unchecked*, and what that means for tax is the seller's
setting. What it said is kept with its day and the consultation number, and decides the tax of coming orders.
"""

from datetime import datetime

from portal import outbox
from portal.database.connecting import transaction
from portal.domain.vat_rates import EU_MEMBER_STATES
from portal.domain.vocabulary import VatStatus
from portal.models import BillingDetails, VatCheck, Workspace
from portal.runtime import current
from portal.services import audit, letters

from . import vies

TOPIC = "check_vat_number"
ELSEWHERE = {"EL": "GR"}
"""Greece in VAT numbers → in ISO 3166."""
NORTHERN_IRELAND = "XI"


def promise(workspace: Workspace, vat_number: str) -> None:
    """Ask about the number, once a day at most: where the register can be asked and may know it."""
    if current().settings.vies_url is None or not is_in_register(vat_number):
        return
    wall = current().clock.wall()
    outbox.publish(
        TOPIC,
        key=f"{workspace.id}-{vat_number}-{wall:%Y-%m-%d}",
        payload={"workspace_id": workspace.id, "vat_number": vat_number},
        now=wall,
    )


def is_in_register(vat_number: str) -> bool:
    """Of a member state or Northern Ireland; not of Great Britain, Switzerland or Norway."""
    country = ELSEWHERE.get(vat_number[:2], vat_number[:2])
    return country in EU_MEMBER_STATES or country == NORTHERN_IRELAND


def check(workspace_id: int, vat_number: str, *, now: datetime) -> None:
    """Ask the register and write down what it says. Raises vies.NoAnswer: the number stays as it is.

    An answer about a number that was replaced meanwhile is kept and changes nothing else. Owners are told of
    a number that is not registered, once.
    """
    url = current().settings.vies_url
    if url is None:
        return
    said = vies.ask(url, vat_number)
    status = VatStatus.VALID if said.is_valid else VatStatus.INVALID
    workspace = Workspace.get_by_id(workspace_id)
    with transaction(lock=workspace):
        answer = VatCheck.create(
            workspace=workspace,
            vat_number=vat_number,
            is_valid=said.is_valid,
            consultation_number=said.consultation_number,
            answered_at=now,
        )
        changed = (
            BillingDetails.update(vat_status=status)
            .where(
                BillingDetails.workspace == workspace,
                BillingDetails.vat_number == vat_number,
                BillingDetails.vat_status != status,
            )
            .execute()
        )
        if changed:
            audit.record(
                "vat_number.checked",
                workspace=workspace,
                subject=workspace.slug,
                changes={"is_valid": said.is_valid},
                now=now,
            )
        if changed and not said.is_valid:
            letters.send(
                "vat_number_invalid",
                to=letters.owners(workspace),
                workspace=workspace,
                key=f"vat-number-invalid-{workspace.id}-{answer.id}",
                context={"vat_number": vat_number},
            )


def newest_answer(workspace: Workspace, vat_number: str) -> VatCheck | None:
    """What the register last said of the number. One query, none without a number."""
    if not vat_number:
        return None
    return (
        VatCheck.select()
        .where(VatCheck.workspace == workspace, VatCheck.vat_number == vat_number)
        .order_by(VatCheck.id.desc())
        .first()
    )
