"""The running agreement of a workspace: begun as a trial, moved on by paid orders."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from peewee import JOIN, Case, ModelSelect

from portal import outbox
from portal.database import rows
from portal.database.connecting import require_transaction
from portal.database.prepared import Parameter, Prepared, by_ids
from portal.domain.errors import PortalError
from portal.domain.extension import PaidPeriod
from portal.domain.frozen_quote import FrozenLine
from portal.domain.lifecycle import (
    OVERDUE,
    WITHOUT_ACCESS,
    blocked_on,
    ended_on,
    licensed_state,
    subscription_state,
)
from portal.domain.money import Money
from portal.domain.periods import Period
from portal.domain.price_lock import PriceLock, lock_after_payment
from portal.domain.pricing import PresentTerms
from portal.domain.timeline import SubscriptionDates, look_again_on, renewal_day, steps_due
from portal.domain.vocabulary import Interval, NoticeKind, OrderKind, ProductKind, SubscriptionState
from portal.models import (
    Notice,
    OrderLine,
    PaymentMethod,
    Plan,
    Price,
    Product,
    Subscription,
    SubscriptionPeriod,
    Workspace,
)
from portal.runtime import current
from portal.services import open_money, plans


class NoTrialPlan(PortalError):
    """The catalogue in force has no plan that a new workspace could begin with."""


class NotSubscribed(PortalError):
    """The workspace never had the licensed product."""

    product_code: str


def trial_plan() -> Plan:
    """What a new workspace begins with. Raises NoTrialPlan."""
    plan = _trial_plan.first()
    if plan is None:
        raise NoTrialPlan()
    return cast(Plan, plan)


_trial_plan = Prepared(
    lambda: (
        Plan.select(Plan, Product)
        .join(Product)
        .where(Product.kind == ProductKind.WORKSPACE_PLAN, ~Product.withdrawn, Plan.trial, ~Plan.withdrawn)
        .limit(1)
    )
)


def start_trial(workspace: Workspace, *, now: datetime) -> Subscription:
    """The workspace plan's trial from today. Inside the transaction that makes the workspace.

    Raises NoTrialPlan.
    """
    require_transaction()
    plan = trial_plan()
    today = workspace.day(now)
    days = plan.product.trial_days
    due_on = today + timedelta(days=days) if days else None
    return _begin_trial(workspace, plan, started_on=today, due_on=due_on, now=now)


def start_without_trial(workspace: Workspace, *, now: datetime) -> Subscription:
    """A trial that was over yesterday, which no letter tells: the workspace begins by choosing a plan.

    Inside the transaction that makes the workspace.
    """
    require_transaction()
    yesterday = workspace.day(now) - timedelta(days=1)
    subscription = _begin_trial(
        workspace,
        trial_plan(),
        started_on=yesterday - timedelta(days=1),
        due_on=yesterday,
        now=now,
    )
    for kind in (NoticeKind.TRIAL_ENDING, NoticeKind.TRIAL_LAST_DAY, NoticeKind.TRIAL_OVER):
        Notice.create(subscription=subscription, kind=kind, about_on=yesterday, said_on=workspace.day(now))
    return subscription


def began_without_trial(subscription: Subscription) -> bool:
    """Whether it has the trial that was over before it began, and nothing since."""
    due_on = subscription.due_on
    first_day = subscription.workspace.day(subscription.created_at)
    return bool(subscription.plan.trial and due_on is not None and due_on < first_day)


def _begin_trial(
    workspace: Workspace, plan: Plan, *, started_on: date, due_on: date | None, now: datetime
) -> Subscription:
    product = plan.product
    subscription = Subscription.create(
        workspace=workspace,
        product=product,
        plan=plan,
        started_on=started_on,
        due_on=due_on,
        anchor_day=started_on.day,
        look_at=now,
        created_at=now,
    )
    SubscriptionPeriod.create(
        subscription=subscription,
        plan=plan,
        start_on=started_on,
        base_end_on=due_on,
        end_on=due_on,
        created_at=now,
    )
    return subscription


def workspace_product() -> Product:
    return Product.get(Product.kind == ProductKind.WORKSPACE_PLAN, ~Product.withdrawn)


def licensed_product(code: str) -> Product | None:
    """The licensed product of that code, a withdrawn one too; None for the workspace plan."""
    return Product.get_or_none(Product.code == code, Product.kind == ProductKind.LICENSED)


def of_workspace(workspace: Workspace) -> Subscription:
    """The subscription to the workspace plan, with workspace, plan, product and price. One query.

    Its `open_payment_state` tells of the payment for it that waits for its result, its `open_refund_state`
    of the refund.
    """
    [found] = _of_workspace.rows(workspace=workspace.id)
    found.workspace = workspace
    return cast(Subscription, found)


def _every_subscription() -> "ModelSelect[Subscription]":
    return (
        Subscription.select(
            Subscription,
            Plan,
            Product,
            Price,
            open_money.state_of_open_payment(Parameter("workspace")).alias("open_payment_state"),
            open_money.state_of_open_refund(Parameter("workspace")).alias("open_refund_state"),
        )
        .join_from(Subscription, Plan, on=Subscription.plan)
        .join_from(Subscription, Product)
        .join_from(Subscription, Price, JOIN.LEFT_OUTER)
        .where(Subscription.workspace == Parameter("workspace"))
        .order_by(Subscription.id)
    )


_all_of = Prepared(_every_subscription)
_of_workspace = Prepared(
    lambda: _every_subscription().where(Product.kind == ProductKind.WORKSPACE_PLAN).limit(1)
)


def of_product(workspace: Workspace, product: Product) -> Subscription | None:
    """The workspace's subscription to the product, with plan and price; None before the first."""
    return next((each for each in all_of(workspace) if each.product_id == product.id), None)


def of_product_or_plan(workspace: Workspace, product: Product | None) -> Subscription:
    """The one to the licensed product that is given, else to the workspace plan. Raises NotSubscribed."""
    if product is None:
        return of_workspace(workspace)
    found = of_product(workspace, product)
    if found is None:
        raise NotSubscribed(product_code=product.code)
    return found


def all_of(workspace: Workspace) -> list[Subscription]:
    """As `of_workspace`, every subscription of the workspace, that to the workspace plan first. One query."""
    found = _all_of.rows(workspace=workspace.id)
    for subscription in found:
        subscription.workspace = workspace
        rows.take_as_read(subscription)
    return sorted(found, key=lambda each: (each.product.kind != ProductKind.WORKSPACE_PLAN, each.id))


def failed_renewals_of(workspace: Workspace) -> list[Subscription]:
    """Those of `all_of` whose automatic charge has failed."""
    return [each for each in all_of(workspace) if each.renewal_has_failed]


def has_another_in_good_standing(subscription: Subscription, *, today: date) -> bool:
    """Whether the workspace may use something else: then it is neither blocked nor deleted for this one."""
    others = (each for each in all_of(subscription.workspace) if each.id != subscription.id)
    return any(status_of(each, today=today).state not in WITHOUT_ACCESS for each in others)


def read_subscriptions(lines: Iterable[OrderLine]) -> None:
    """Each line gets its subscription with product, plan, price and the workspace of its order.

    One subscription is one object, however many lines pay for it.
    """
    known = [(line, line.subscription_id) for line in lines if line.subscription_id is not None]
    ids = {subscription_id for _line, subscription_id in known}
    found = with_catalogue(by_ids(Subscription, ids).values())
    by_id = {subscription.id: subscription for subscription in found}
    for line, subscription_id in known:
        line.subscription = by_id[subscription_id]
        line.subscription.workspace = line.order.workspace


def with_catalogue(query: Iterable[Subscription]) -> list[Subscription]:
    """The subscriptions of a query, each with its product, plan and price.

    Many share a few of them: each is read once, since to make a model of a row takes longer than to read it.
    """
    found = list(query)
    for field in (Subscription.product, Subscription.plan, Subscription.price):
        ids = {subscription.__data__[field.name] for subscription in found} - {None}
        shared = by_ids(field.rel_model, ids)
        for subscription in found:
            setattr(subscription, field.name, shared.get(subscription.__data__[field.name]))
    for subscription in found:
        rows.take_as_read(subscription)
    return found


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    """A subscription on one day."""

    subscription: Subscription
    state: SubscriptionState
    today: date

    @property
    def plan(self) -> Plan:
        return self.subscription.plan

    @property
    def licensed_product(self) -> Product | None:
        """Whose licences they are; None of the workspace plan."""
        return self.subscription.product if is_licensed(self.subscription) else None

    @property
    def due_on(self) -> date | None:
        return self.subscription.due_on

    @property
    def interval(self) -> Interval | None:
        price = self.subscription.price
        return price.interval if price is not None else None

    @property
    def is_blocked(self) -> bool:
        return self.state == SubscriptionState.BLOCKED

    @property
    def is_to_be_paid(self) -> bool:
        """Its next period is due: the day is over, or the automatic charge for it has failed."""
        if self.subscription.unpaid_on is not None:
            # What is to be paid is an invoice.
            return False
        is_due = self.state in OVERDUE or self.subscription.renewal_has_failed
        return is_due and self.subscription.price_id is not None

    @property
    def blocked_on(self) -> date | None:
        """The first day without access; None where nothing ends, nor before a renewal's result is known."""
        subscription = self.subscription
        if (over_on := _ended_on(subscription)) is not None and self.state not in OVERDUE:
            return over_on
        if (unpaid_on := subscription.unpaid_on) is not None:
            return blocked_on(
                unpaid_on,
                grace_days(subscription),
                renewal_failed_on=unpaid_on,
                dunning_days=current().settings.dunning_days,
            )
        if subscription.pays_by_transfer:
            return None
        if self.due_on is None or (self.subscription.auto_renewal and self.subscription.awaits_a_result):
            return None
        return blocked_on(
            self.due_on,
            grace_days(self.subscription),
            renewal_failed_on=self.subscription.renewal_failed_on,
            dunning_days=current().settings.dunning_days,
        )

    @property
    def renews_by_itself(self) -> bool:
        """Automatic renewal is on and has not failed: after a failure, paying by hand is a way out."""
        return self.subscription.auto_renewal and self.subscription.renewal_failed_on is None


def status_of(subscription: Subscription, *, today: date) -> SubscriptionStatus:
    if is_licensed(subscription):
        state = licensed_state(
            plan_is_free=subscription.plan.free,
            is_bought=is_bought(subscription),
            trial_until=subscription.trial_until,
            due_on=subscription.due_on,
            cancelled_on=_cancelled_on(subscription),
            grace_days=grace_days(subscription),
            today=today,
            auto_renewal=subscription.auto_renewal,
            renewal_failed_on=subscription.renewal_failed_on,
            awaits_a_result=subscription.awaits_a_result,
            dunning_days=current().settings.dunning_days,
            pays_by_transfer=subscription.pays_by_transfer,
            unpaid_on=subscription.unpaid_on,
        )
    else:
        state = subscription_state(
            plan_is_trial=subscription.plan.trial,
            plan_is_free=subscription.plan.free or subscription.plan.nonprofit,
            due_on=subscription.due_on,
            grace_days=grace_days(subscription),
            today=today,
            auto_renewal=subscription.auto_renewal,
            renewal_failed_on=subscription.renewal_failed_on,
            awaits_a_result=subscription.awaits_a_result,
            dunning_days=current().settings.dunning_days,
            pays_by_transfer=subscription.pays_by_transfer,
            unpaid_on=subscription.unpaid_on,
        )
    return SubscriptionStatus(subscription=subscription, state=state, today=today)


def is_licensed(subscription: Subscription) -> bool:
    """Whether licences of a product are sold, not the workspace plan."""
    return bool(subscription.product.kind == ProductKind.LICENSED)


def licences_of(subscription: Subscription) -> int | None:
    """How many it has of a licensed product; None for the workspace plan."""
    return subscription.quantity if is_licensed(subscription) else None


def is_bought(subscription: Subscription) -> bool:
    """Of a licensed product: what it has, or had last, was paid. Without a query."""
    return subscription.price_id is not None


def _cancelled_on(subscription: Subscription) -> date | None:
    cancelled_at = subscription.cancelled_at
    return None if cancelled_at is None else subscription.workspace.day(cancelled_at)


def _ended_on(subscription: Subscription) -> date | None:
    """The first day after a trial that nobody bought, or after what was cancelled; None: none is set."""
    if not is_licensed(subscription):
        return None
    return ended_on(
        is_bought=is_bought(subscription),
        trial_until=subscription.trial_until,
        due_on=subscription.due_on,
        cancelled_on=_cancelled_on(subscription),
    )


def grace_days(subscription: Subscription) -> int:
    """The product's own, else the installation's; a trial has none."""
    if subscription.plan.trial:
        return 0
    own = subscription.product.grace_days
    return current().settings.grace_days if own is None else own


def present_terms_of(status: SubscriptionStatus) -> PresentTerms:
    """What a quote needs to know of the past. One query more, for periods that are not over."""
    subscription = status.subscription
    periods = _paid_periods.rows(subscription=subscription.id, today=status.today)
    return PresentTerms(
        plan_code=status.plan.code,
        interval=status.interval,
        state=status.state,
        due_on=subscription.due_on,
        anchor_day=subscription.anchor_day,
        paid=tuple(
            PaidPeriod(
                period=Period(row.start_on, cast(date, row.end_on)),
                base_days=(cast(date, row.base_end_on) - row.start_on).days,
                price=Money(row.net_minor, row.currency),
            )
            for row in periods
        ),
    )


_paid_periods = Prepared(
    lambda: (
        SubscriptionPeriod.select()
        .where(
            SubscriptionPeriod.subscription == Parameter("subscription"),
            SubscriptionPeriod.end_on > Parameter("today"),
            # One that was cut before it began gives nothing.
            SubscriptionPeriod.end_on > SubscriptionPeriod.start_on,
            SubscriptionPeriod.net_minor > 0,
        )
        .order_by(SubscriptionPeriod.start_on, SubscriptionPeriod.id)
    )
)


def dates_of(
    subscription: Subscription, *, said: Mapping[NoticeKind, date], today: date
) -> SubscriptionDates:
    """The subscription as domain/timeline.py sees it; `said` are the letters about its due date."""
    status = status_of(subscription, today=today)
    scheduled = subscription.scheduled_plan
    licensed = is_licensed(subscription)
    return SubscriptionDates(
        state=status.state,
        due_on=subscription.due_on,
        blocked_on=status.blocked_on,
        plan_is_trial=subscription.plan.trial,
        renew_on=subscription.renew_on if subscription.auto_renewal else None,
        renewal_failed_on=subscription.renewal_failed_on,
        free_plan_waits=scheduled is not None and scheduled.free,
        is_licensed=licensed,
        pays_by_transfer=subscription.pays_by_transfer,
        owes_invoice=subscription.unpaid_on is not None,
        trial_until=subscription.trial_until if licensed and not is_bought(subscription) else None,
        said=said if subscription.due_on else {},
    )


def first_moment(workspace: Workspace, day: date) -> datetime:
    """When that day begins at the workspace's own place."""
    return datetime.combine(day, time(0), tzinfo=ZoneInfo(workspace.time_zone)).astimezone(UTC)


def look_soon(subscription: Subscription, *, now: datetime) -> None:
    """Let the next run look at the subscription. For whoever changes it and saves it afterwards."""
    subscription.look_at = now


def _look_when_due(subscription: Subscription, *, now: datetime) -> None:
    """Let the run look at what was just paid when something falls due: about its new end nothing was said."""
    workspace = subscription.workspace
    today = workspace.day(now)
    dates = dates_of(subscription, said={}, today=today)
    day = look_again_on(dates, today=today)
    due = set(steps_due(dates, today=today))
    if not _may_rise(subscription, now=now):
        # A catalogue that raises the price lets the run look at once.
        due.discard(NoticeKind.PRICE_RISE)
    if due:
        look_soon(subscription, now=now)
    else:
        subscription.look_at = first_moment(workspace, day) if day else None


def _may_rise(subscription: Subscription, *, now: datetime) -> bool:
    """Whether the next renewal of what was just paid is listed for more, and not locked. Without a query."""
    price, due_on, lock = subscription.price, subscription.due_on, lock_of(subscription)
    if price is None or due_on is None or (lock is not None and lock.holds(due_on)):
        return False
    on = max(plans.sale_day(now), subscription.renew_on or due_on)
    listed = plans.listed_price(
        subscription.product, subscription.plan, price.interval, price.currency, on=on
    )
    quantity = subscription.quantity
    return listed is not None and listed.volume_price.amount(quantity) > price.volume_price.amount(quantity)


def retry_with_new_method(workspace: Workspace, *, now: datetime) -> None:
    """Renewals that failed are tried at once, now that there is another method. In a transaction."""
    require_transaction()
    wall = current().clock.wall()
    for subscription in failed_renewals_of(workspace):
        subscription.renew_on = workspace.day(now)
        look_soon(subscription, now=now)
        rows.save(subscription)
        outbox.publish("run_due", key=f"{subscription.id}-{wall.isoformat()}", payload={}, now=wall)


def lock_of(subscription: Subscription) -> PriceLock | None:
    """The locked price, which counts while auto-renewal is on."""
    if subscription.locked_price_minor is None or not subscription.auto_renewal:
        return None
    price, until = subscription.price, subscription.locked_until
    assert price is not None, "only what has a price is locked"
    assert until is not None, "a lock has its end"
    return PriceLock(amount=Money(subscription.locked_price_minor, price.currency), until=until)


def begin_paid(line: OrderLine, *, now: datetime) -> Subscription:
    """The subscription that a first purchase begins, as the line says; the one that there is by now, if any.

    Inside the transaction that marks the order paid.
    """
    require_transaction()
    workspace, product = line.order.workspace, line.plan.product
    subscription = Subscription.get_or_none(
        Subscription.workspace == workspace, Subscription.product == product
    )
    if subscription is None:
        subscription = Subscription(
            workspace=workspace,
            product=product,
            plan=line.plan,
            price=line.price,
            started_on=line.start_on,
            due_on=line.end_on,
            anchor_day=line.anchor_day,
            created_at=now,
        )
        rows.save(subscription)
    line.subscription = subscription
    rows.save(line)
    return subscription


def apply_paid_line(
    subscription: Subscription, line: OrderLine, *, method: PaymentMethod | None, now: datetime
) -> None:
    """Give what a line of a paid order promised. Inside the transaction that marks the order paid.

    What was running is cut at the new period's first day, so that periods touch and never overlap.
    """
    require_transaction()
    order, frozen = line.order, line.frozen
    today = order.workspace.day(now)
    terms_before, quantity_before = _lasting_terms(subscription), subscription.quantity
    lock_before = lock_of(subscription)
    price = _price_paid(subscription, line.price_id)
    if subscription.due_on is None or line.start_on < subscription.due_on:
        # Whoever renews or prolongs begins where the last period ends: there is nothing to cut.
        cut_periods(subscription, at=line.start_on)
    period = SubscriptionPeriod(
        subscription=subscription,
        plan=line.plan,
        price=price,
        line=line,
        start_on=line.start_on,
        base_end_on=line.base_end_on,
        end_on=line.end_on,
        net_minor=line.net_minor,
        currency=order.currency,
        created_at=now,
    )
    rows.save_later(period)
    if line.kind != OrderKind.PROLONG or _is_what_was_scheduled(subscription, line):
        subscription.scheduled_plan = subscription.scheduled_interval = subscription.scheduled_quantity = None
    subscription.plan = line.plan
    subscription.price = price
    subscription.quantity = line.quantity
    subscription.started_on = line.start_on
    subscription.due_on = line.end_on
    subscription.anchor_day = line.anchor_day
    if order.auto_renewal and method is not None and line.kind != OrderKind.RENEWAL:
        subscription.auto_renewal = True
        subscription.payment_method = method
    lock = lock_after_payment(
        before=lock_before,
        same_terms=terms_before == _lasting_terms(subscription),
        same_quantity=quantity_before == line.quantity,
        auto_renewal=subscription.auto_renewal,
        charged=frozen.price,
        paid_on=today,
        interval=line.interval,
    )
    subscription.locked_price_minor = lock.amount.minor if lock else None
    subscription.locked_until = lock.until if lock else None
    _announce_next_renewal(subscription, line, frozen, today=today)
    # Whoever pays goes on.
    subscription.cancelled_at = None
    _look_when_due(subscription, now=now)
    subscription.version += 1
    rows.save_later(subscription)


def _is_what_was_scheduled(subscription: Subscription, line: OrderLine) -> bool:
    """Fewer licences, or a lower plan, that were to begin with the period that is paid by hand now."""
    scheduled = (
        subscription.scheduled_plan_id,
        subscription.scheduled_interval,
        subscription.scheduled_quantity,
    )
    return scheduled == (line.plan_id, line.interval, line.quantity)


def _lasting_terms(subscription: Subscription) -> tuple[int, Interval | None, str | None]:
    """What a price is guaranteed for: plan, interval and currency."""
    price = subscription.price
    return subscription.plan_id, price.interval if price else None, price.currency if price else None


def _price_paid(subscription: Subscription, price_id: int) -> Price:
    if subscription.price_id == price_id:
        return cast(Price, subscription.price)
    return Price.get_by_id(price_id)


def _announce_next_renewal(
    subscription: Subscription, line: OrderLine, frozen: FrozenLine, *, today: date
) -> None:
    """What was just paid is what the person knows of the next charge."""
    subscription.renewal_failed_on = None
    if not subscription.auto_renewal:
        subscription.renew_on = subscription.announced_minor = subscription.announced_net_minor = None
        return
    renewed_on = today if line.kind == OrderKind.RENEWAL else None
    subscription.renew_on = renewal_day(due_on=line.end_on, last_renewed_on=renewed_on)
    if line.kind == OrderKind.PROLONG and subscription.scheduled_plan_id is not None:
        # The next charge is that of the plan that still waits: what was told of that one stays its ceiling.
        if subscription.announced_minor is None:
            subscription.announced_minor = line.total_minor
        return
    # Of a whole period, of which a change of licences has charged a share.
    subscription.announced_minor = frozen.price_with_tax.minor
    subscription.announced_net_minor = frozen.price.minor


def cut_periods(subscription: Subscription, *, at: date) -> None:
    """End what runs on `at` there; a period that had not begun becomes empty."""
    _cut_periods.execute(subscription=subscription.id, at=at)


_cut_periods = Prepared(
    lambda: SubscriptionPeriod.update(
        end_on=Case(
            None,
            [(SubscriptionPeriod.start_on > Parameter("at"), SubscriptionPeriod.start_on)],
            Parameter("at"),
        )
    ).where(
        SubscriptionPeriod.subscription == Parameter("subscription"),
        SubscriptionPeriod.end_on.is_null() | (SubscriptionPeriod.end_on > Parameter("at")),
    )
)
