"""Members and the plans that hold them."""

from peewee import fn

from portal.domain.lifecycle import OPEN_PAYMENT_STATES
from portal.domain.vocabulary import MemberStatus, ProductKind
from portal.models import Licence, Member, Order, OrderLine, Payment, Plan, Product, Subscription

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


@counted
def licences_are_of_members_and_no_more_than_paid() -> Queries:
    """Licences of somebody who is disabled or of another workspace, or of what is not sold by licence.

    And products of which more are assigned than are paid for.
    """
    of_nobody = (
        Licence.select(Licence.id)
        .join_from(Licence, Member)
        .join_from(Licence, Subscription)
        .join_from(Subscription, Product)
        .where(
            (Member.status == MemberStatus.DISABLED)
            | (Member.workspace != Subscription.workspace)
            | (Product.kind != ProductKind.LICENSED)
        )
    )
    too_many = (
        Licence.select(Licence.subscription)
        .join(Subscription)
        .group_by(Licence.subscription, Subscription.quantity)
        .having(fn.COUNT(Licence.id) > Subscription.quantity)
    )
    return of_nobody, too_many
