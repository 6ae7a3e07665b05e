"""Members and the plans that hold them."""

from peewee import fn

from portal.domain.lifecycle import OPEN_PAYMENT_STATES
from portal.domain.vocabulary import MemberStatus
from portal.models import Member, Order, OrderLine, Payment, Plan

from .reading import Queries, counted


@counted
def users_fit_the_plan_being_paid() -> Queries:
    """Workspaces with more active users than the plan holds that an open payment is for.

    Whoever comes while it is open has to fit that plan too.
    """
    return (
        Payment.select(Payment.workspace)
        .join_from(Payment, Order)
        .join_from(Order, OrderLine)
        .join_from(OrderLine, Plan)
        .join_from(Payment, Member, on=(Member.workspace == Payment.workspace))
        .where(
            Payment.state << OPEN_PAYMENT_STATES,
            Plan.max_users.is_null(False),
            Member.status == MemberStatus.ACTIVE,
        )
        .group_by(Payment.workspace, Payment.id, Plan.id, Plan.max_users)
        .having(fn.COUNT(Member.id) > Plan.max_users)
    )
