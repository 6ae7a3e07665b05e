"""What a quote for some plans rests on: the plans, what the workspace has of their products, its balance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import JOIN, ModelSelect, fn

from portal.database import rows
from portal.database.connecting import write_postponed
from portal.database.prepared import Parameter, Parameters, Prepared
from portal.models import Licence, Plan, Price, Product, Subscription, Workspace
from portal.services import ledger, open_money


@dataclass(frozen=True, slots=True)
class WantedPlan:
    """A plan with its product, sold or not, and what the workspace has of that product, or had.

    `subscription` as agreement.of_workspace reads one; `assigned`: how many of its licences members hold.
    `kept_minor` is kept for the workspace in the currency that was asked for, as ledger.kept says it.
    """

    plan: Plan
    subscription: Subscription | None
    assigned: int
    kept_minor: int


def read(workspace: Workspace, codes: Sequence[str], *, currency: str) -> dict[str, WantedPlan]:
    """By code, those that there are. One query, for one as for twenty."""
    # What is kept, and what is had, may have been changed by this transaction.
    write_postponed()
    found = _plans.rows(workspace=workspace.id, currency=currency, codes=set(codes))
    return {plan.code: _wanted_plan(plan, workspace) for plan in found}


def _wanted_plan(plan: Any, workspace: Workspace) -> WantedPlan:
    subscription: Subscription | None = getattr(plan, "own", None)
    if subscription is not None:
        subscription.workspace, subscription.product = workspace, plan.product
        for name in ("open_payment_state", "open_refund_state"):
            setattr(subscription, name, getattr(plan, name))
        rows.take_as_read(subscription)
    return WantedPlan(
        plan=plan,
        subscription=subscription,
        assigned=plan.assigned,
        kept_minor=ledger.kept_minor(plan.entered, plan.reserved),
    )


def _plans_query() -> "ModelSelect[Plan]":
    own = Plan.alias()
    workspace, currency = Parameter("workspace"), Parameter("currency")
    return (
        Plan.select(
            Plan,
            Product,
            Subscription,
            own,
            Price,
            open_money.state_of_open_payment(workspace).alias("open_payment_state"),
            open_money.state_of_open_refund(workspace).alias("open_refund_state"),
            Licence.select(fn.COUNT(Licence.id))
            .where(Licence.subscription == Subscription.id)
            .alias("assigned"),
            ledger.newest_balance(workspace, currency).alias("entered"),
            ledger.sum_reserved(workspace, currency).alias("reserved"),
        )
        .join_from(Plan, Product)
        .join_from(
            Plan,
            Subscription,
            JOIN.LEFT_OUTER,
            on=((Subscription.product == Plan.product) & (Subscription.workspace == workspace)),
            attr="own",
        )
        .join_from(Subscription, own, JOIN.LEFT_OUTER, on=(Subscription.plan == own.id), attr="plan")
        .join_from(Subscription, Price, JOIN.LEFT_OUTER, on=(Subscription.price == Price.id), attr="price")
        .where(Plan.code << Parameters("codes"))
    )


_plans = Prepared(_plans_query)
