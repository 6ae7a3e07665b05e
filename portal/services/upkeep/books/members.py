"""Members and the plans that hold them, licences and their keys."""

from peewee import JOIN, fn

from portal.domain.lifecycle import OPEN_PAYMENT_STATES
from portal.domain.vocabulary import MemberStatus, ProductKind
from portal.models import (
    Contact,
    Licence,
    LicenceKey,
    Member,
    Order,
    OrderLine,
    Payment,
    Plan,
    Product,
    Subscription,
    Workspace,
)
from portal.runtime import current

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


@counted
def keyed_subscriptions_have_their_key() -> Queries:
    """Subscriptions that are activated by a key and have none, though no run is going to give them one.

    And keys of what is not sold by licence, of a workspace that is deleted, or activated after their end.
    """
    live = LicenceKey.select(LicenceKey.id).where(
        LicenceKey.subscription == Subscription.id, LicenceKey.replaced_at.is_null()
    )
    waits_for_a_run = Subscription.look_at.is_null(False) & (Subscription.look_at <= current().clock.now())
    without = (
        Subscription.select(Subscription.id)
        .join_from(Subscription, Product)
        .join_from(Subscription, Workspace)
        .where(Product.licence_keys, Workspace.deleted_at.is_null(), ~waits_for_a_run, ~fn.EXISTS(live))
    )
    of_nothing = (
        LicenceKey.select(LicenceKey.id)
        .join_from(LicenceKey, Subscription)
        .join_from(Subscription, Product)
        .join_from(Subscription, Workspace)
        .where(
            (Product.kind != ProductKind.LICENSED)
            | Workspace.deleted_at.is_null(False)
            | (LicenceKey.activated_at > LicenceKey.replaced_at)
        )
    )
    return without, of_nothing


@counted
def contacts_are_of_their_own_workspace() -> Queries:
    """Contacts who are a member of another workspace, or of a workspace that is deleted."""
    return (
        Contact.select(Contact.id)
        .join_from(Contact, Workspace)
        .join_from(Contact, Member, JOIN.LEFT_OUTER)
        .where(Workspace.deleted_at.is_null(False) | (Member.workspace != Contact.workspace))
    )
