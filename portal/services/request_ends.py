"""How a purchase request ends without anybody deciding about it: its order is paid, or its time is over.

Both are told to whoever asked. Asking and deciding are in services/requests.py.
"""

from collections.abc import Sequence
from datetime import datetime

from peewee import JOIN, ModelSelect

from portal.database.connecting import require_transaction, transaction
from portal.database.prepared import Parameter, Prepared
from portal.domain.vocabulary import OrderState, ProductKind, RequestState
from portal.models import (
    Order,
    Person,
    Plan,
    Price,
    Product,
    PurchaseRequest,
    PurchaseRequestLine,
    Workspace,
)
from portal.outbox import JSON
from portal.services import audit, letters


def approve_paid(order: Order, *, now: datetime) -> None:
    """The request that the order was made of is approved for good. Inside the workspace's lock.

    One that was declined or withdrawn meanwhile stays so: the order was bought all the same.
    """
    require_transaction()
    request = with_asker().where(PurchaseRequest.order == order).first()
    if request is not None:
        request.workspace = order.workspace
        end(request, RequestState.APPROVED, by=order.person, now=now)


def expire_due(*, limit: int, now: datetime) -> int:
    """Write down and tell that nobody decided in time; at most `limit` of the oldest. Returns how many.

    One whose order is being paid waits for that payment. Safe to repeat and to run twice at once.
    """
    expired = 0
    for request in _due_now.rows(now=now, limit=limit):
        with transaction(lock=request.workspace):
            fresh = _due(now).where(PurchaseRequest.id == request.id).first()
            if fresh is not None:
                expired += end(fresh, RequestState.EXPIRED, now=now)
    return expired


def _due(now: datetime | Parameter) -> "ModelSelect[PurchaseRequest]":
    return (
        PurchaseRequest.select(PurchaseRequest, Workspace, Person)
        .join_from(PurchaseRequest, Workspace)
        .join_from(PurchaseRequest, Person, JOIN.LEFT_OUTER, on=PurchaseRequest.asker)
        .join_from(PurchaseRequest, Order, JOIN.LEFT_OUTER)
        .where(
            PurchaseRequest.state == RequestState.OPEN,
            PurchaseRequest.expires_at <= now,
            Order.id.is_null() | (Order.state != OrderState.PLACED),
        )
        .order_by(PurchaseRequest.expires_at, PurchaseRequest.id)
    )


_due_now = Prepared(lambda: _due(Parameter("now")).limit(Parameter("limit")))


def with_asker() -> "ModelSelect[PurchaseRequest]":
    """Requests with who asked, None for somebody who is forgotten."""
    return PurchaseRequest.select(PurchaseRequest, Person).join(
        Person, JOIN.LEFT_OUTER, on=PurchaseRequest.asker
    )


def end(
    request: PurchaseRequest,
    state: RequestState,
    *,
    by: Person | None = None,
    reason: str = "",
    now: datetime,
) -> bool:
    """Let an open request be `state`, and tell the asker unless it is their own act. Inside the lock.

    False where it was not open any more: nothing happens twice.
    """
    require_transaction()
    changed = (
        PurchaseRequest.update(state=state, decided_by=by, decided_at=now, reason=reason)
        .where(PurchaseRequest.id == request.id, PurchaseRequest.state == RequestState.OPEN)
        .execute()
    )
    if not changed:
        return False
    request.state, request.decided_by, request.decided_at, request.reason = state, by, now, reason
    audit.record(f"request.{state}", workspace=request.workspace, subject=request.number, now=now)
    if state is not RequestState.WITHDRAWN:
        _tell(request, by=by.name if by is not None else "")
    return True


def _tell(request: PurchaseRequest, *, by: str) -> None:
    if request.asker is None:
        return
    facts: dict[RequestState, dict[str, JSON]] = {
        RequestState.APPROVED: {"by": by, "is_ordered": request.order_id is not None},
        RequestState.DECLINED: {"by": by, "reason": request.reason},
        RequestState.EXPIRED: {},
    }
    state = RequestState(request.state)
    letters.send(
        f"request_{state}",
        to=[request.asker],
        workspace=request.workspace,
        key=f"request-{state}-{request.number}",
        context={"number": request.number, "lines": facts_of(lines_of([request])), **facts[state]},
    )


def lines_of(requests: Sequence[PurchaseRequest]) -> list[PurchaseRequestLine]:
    """In the order in which they were asked for, with product, plan and price. One query."""
    return list(
        PurchaseRequestLine.select(PurchaseRequestLine, Product, Plan, Price)
        .join_from(PurchaseRequestLine, Product)
        .join_from(PurchaseRequestLine, Plan)
        .join_from(PurchaseRequestLine, Price)
        .where(PurchaseRequestLine.request << [request.id for request in requests])
        .order_by(PurchaseRequestLine.id)
    )


def facts_of(lines: Sequence[PurchaseRequestLine]) -> JSON:
    """What a letter says of what was asked for."""
    return [
        {
            "product_names": dict(line.product.names),
            "plan_names": dict(line.plan.names),
            "interval": str(line.interval),
            "licences": line.quantity if line.product.kind == ProductKind.LICENSED else None,
        }
        for line in lines
    ]
