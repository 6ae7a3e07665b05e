"""Every table: columns, constraints, predicates about one row, named queries about many.

Amounts are whole minor units beside their currency. Instants are aware UTC. Words come from
domain/vocabulary.py and are held by CHECK constraints, since the two engines accept different
garbage. Foreign keys near money are RESTRICT: nothing that was paid can lose its owner.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from flask_login import UserMixin
from peewee import (
    JOIN,
    SQL,
    BlobField,
    BooleanField,
    Check,
    DateField,
    Expression,
    ForeignKeyField,
    IntegerField,
    ModelSelect,
    SmallIntegerField,
    TextField,
)

from portal.database.columns import (
    CurrencyCode,
    FoldedText,
    JSONField,
    MinorUnits,
    Model,
    ShortText,
    UTCDateTimeField,
    VocabularyWord,
    WholeNumber,
)
from portal.domain.billing_details import LONGEST_PURCHASE_ORDER
from portal.domain.cart import version_of
from portal.domain.choices import Choice
from portal.domain.frozen_quote import FrozenLine, frozen_lines
from portal.domain.lifecycle import (
    OPEN_PAYMENT_STATES,
    OPEN_REFUND_STATES,
    OPEN_SETUP_STATES,
    WAITING_TRANSFER_STATES,
)
from portal.domain.money import Money
from portal.domain.requests import state_at
from portal.domain.vocabulary import (
    BalanceEntryKind,
    BankFileKind,
    ChangeNotices,
    ChangePolicy,
    DocumentKind,
    HistoryEvent,
    Interval,
    LinkPurpose,
    MemberStatus,
    MethodNoticeKind,
    NonprofitState,
    NoticeKind,
    OrderKind,
    OrderState,
    PaidWith,
    PaymentMethodKind,
    PaymentState,
    PriceUnit,
    ProductKind,
    RefundState,
    RenewalDay,
    RequestState,
    Role,
    SessionBinding,
    SetupState,
    TransferReason,
    TransferState,
    VatStatus,
    WhoMayBuy,
)
from portal.domain.volume_price import MAX_LICENCES, VolumePrice, VolumeTier

# --- the catalogue --------------------------------------------------------------------------------


class Product(Model):
    """A thing sold. `code` never changes; the catalogue file may rename or withdraw it.

    From `max_licences` on the columns are of licensed products. `max_licences` is NULL where the vendor sells
    any number; `trial_licences` is how many may be tried at most. `features` are the rows of the compare
    table: `{"names": {"en": …, "fr": …}, "plans": {code: true, false or {"en": …, "fr": …}}}`, one entry for
    each plan that the file named when it was applied.

    `revision` is new each time a catalogue is applied: what was read of the product's plans and
    prices under one revision stays true under it.
    """

    code = ShortText(max_length=60, unique=True)
    names = JSONField()
    kind = VocabularyWord(ProductKind)
    change_policy = VocabularyWord(ChangePolicy)
    trial_days = WholeNumber(default=0, constraints=[Check("trial_days >= 0")])
    grace_days = WholeNumber(null=True, constraints=[Check("grace_days >= 0")])
    bank_transfer = BooleanField(default=False)
    position = IntegerField()
    withdrawn = BooleanField(default=False)
    revision = ShortText(max_length=32)
    max_licences = WholeNumber(null=True, constraints=[Check("max_licences > 0")])
    trial_licences = WholeNumber(default=1, constraints=[Check("trial_licences > 0")])
    licence_keys = BooleanField(default=False)
    renewal_day = VocabularyWord(RenewalDay, default=RenewalDay.KEEP)
    features = JSONField(default=list)

    @property
    def most_licences(self) -> int:
        """The most that may be ordered here; whoever wants more writes to the vendor."""
        return MAX_LICENCES if self.max_licences is None else self.max_licences


class Plan(Model):
    """A named offer: limits and services, no amount. A limit that is NULL is no limit."""

    product = ForeignKeyField(Product, backref="plans", on_delete="RESTRICT")
    code = ShortText(max_length=60, unique=True)
    names = JSONField()
    position = IntegerField()
    hidden = BooleanField(default=False)
    free = BooleanField(default=False)
    trial = BooleanField(default=False)
    nonprofit = BooleanField(default=False)
    max_users = WholeNumber(null=True, constraints=[Check("max_users > 0")])
    guests_per_user = WholeNumber(default=0, constraints=[Check("guests_per_user >= 0")])
    max_administrators = WholeNumber(null=True, constraints=[Check("max_administrators > 0")])
    storage_bytes = WholeNumber(null=True, constraints=[Check("storage_bytes >= 0")])
    services = JSONField()
    withdrawn = BooleanField(default=False)

    product_id: int

    @property
    def is_sold(self) -> bool:
        return not (self.hidden or self.free or self.trial or self.withdrawn)


class Price(Model):
    """An amount for a plan. Never edited: a new amount is a new row, the old one is closed."""

    plan = ForeignKeyField(Plan, backref="prices", on_delete="RESTRICT")
    interval = VocabularyWord(Interval)
    currency = CurrencyCode()
    unit = VocabularyWord(PriceUnit)
    amount_minor = MinorUnits(constraints=[Check("amount_minor >= 0")])
    tiers = JSONField(null=True)
    valid_from = DateField()
    valid_until = DateField(null=True)

    plan_id: int

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def volume_price(self) -> VolumePrice:
        """What any number of licences costs; one unit of a flat price is the whole plan."""
        tiers = tuple(VolumeTier(**tier) for tier in self.tiers or ())
        return VolumePrice(PriceUnit(self.unit), self.amount, tiers)


# A price that was closed on its first day is valid on no day and may stand beside its successor.
Price.add_index(
    Price.index(
        Price.plan,
        Price.interval,
        Price.currency,
        Price.valid_from,
        unique=True,
        name="price_one_begins_a_day",
        where=Price.valid_until.is_null() | (Price.valid_until > Price.valid_from),
    )
)


class VendorLink(Model):
    """An address of the vendor's own that pages lead to: help, contact, editors, education, nonprofit.

    `corporate` is the FAQ of corporate workspaces, where the vendor has one.
    """

    name = ShortText(max_length=40, unique=True)
    url = ShortText(max_length=500)


# --- people ---------------------------------------------------------------------------------------

NOWHERE = "@erased.invalid"
"""The end of no address of the world (RFC 2606)."""


class Person(Model, UserMixin):
    """Somebody who can sign in. `email` is kept in lower case and identifies them.

    `email_proved_at` is when a link sent to the address was last used; while it is NULL the account may have
    been made by anybody. `bounced_at`: letters about money came back from there, with `bounce_reason`, and
    none are sent until a link to the address is used again.
    """

    email = ShortText(max_length=254, unique=True, constraints=[Check("email = lower(email)")])
    name = ShortText(max_length=200)
    password_hash = ShortText(max_length=200, null=True)
    language = ShortText(max_length=5, null=True)
    is_operator = BooleanField(default=False)
    skips_buy_dialog = BooleanField(default=False)
    created_at = UTCDateTimeField()
    email_proved_at = UTCDateTimeField(null=True)
    folded_name = FoldedText(of="name")
    folded_email = FoldedText(of="email")
    bounced_at = UTCDateTimeField(null=True)
    bounce_reason = ShortText(max_length=200, null=True)

    def get_id(self) -> str:
        """What flask-login keeps in the session; Peewee's own `get_id` is a number."""
        return str(self.id)

    @staticmethod
    def erased_address(person_id: int) -> str:
        """What stands for the address of somebody who is forgotten where money still points at the row."""
        return f"erased-{person_id}{NOWHERE}"

    @property
    def is_erased(self) -> bool:
        """Nobody signs in as this row, and nothing is sent there."""
        return self.email.endswith(NOWHERE)


class Workspace(Model):
    """Who pays. Owns everything below; `slug` and `customer_number` never change.

    `services` are the codes of vocabulary.Service that are switched on. A deleted workspace keeps its row,
    without a name, under its documents and payments. `session_binding` is NULL where the installation's is
    strict enough. `day_reached` is the day that it had reached when it last moved to another time zone: its
    own days never go back.

    `ceiling_minor` is what members may spend together in a calendar month without asking, in `currency` and
    tax included; NULL for no ceiling. From `adviser_name` on the columns are of corporate workspaces, which
    the vendor's own people look after: nothing is bought here where one of them is filled in.

    `transfers_withheld`: an operator decided that it does not pay by bank transfer. `change_notices`: how
    often letters about changes are mailed.
    """

    slug = ShortText(max_length=60, unique=True)
    name = ShortText(max_length=200)
    customer_number = ShortText(max_length=20, unique=True)
    time_zone = ShortText(max_length=60, default="Europe/Paris")
    language = ShortText(max_length=5)
    currency = CurrencyCode()
    who_may_buy = VocabularyWord(WhoMayBuy, default=WhoMayBuy.ANY_MEMBER)
    hides_plans_from_members = BooleanField(default=False)
    used_storage_bytes = WholeNumber(default=0, constraints=[Check("used_storage_bytes >= 0")])
    services = JSONField(default=list)
    created_at = UTCDateTimeField()
    deleted_at = UTCDateTimeField(null=True)
    day_reached = DateField(null=True)
    folded_name = FoldedText(of="name")
    session_binding = VocabularyWord(SessionBinding, null=True)
    ceiling_minor = MinorUnits(null=True, constraints=[Check("ceiling_minor > 0")])
    adviser_name = ShortText(max_length=200, null=True)
    adviser_email = ShortText(max_length=254, null=True)
    corporate_portal_url = ShortText(max_length=500, null=True)
    account_service_email = ShortText(max_length=254, null=True)
    account_service_phone = ShortText(max_length=40, null=True)
    transfers_withheld = BooleanField(default=False, constraints=[SQL("DEFAULT false")])
    change_notices = VocabularyWord(
        ChangeNotices, default=ChangeNotices.EACH, constraints=[SQL("DEFAULT 'each'")]
    )

    @property
    def has_ceiling(self) -> bool:
        return self.ceiling_minor is not None

    @property
    def ceiling(self) -> Money | None:
        return None if self.ceiling_minor is None else Money(self.ceiling_minor, self.currency)

    @property
    def is_corporate(self) -> bool:
        """Whether an operator said who sells to it instead of these pages."""
        return bool(
            self.adviser_name
            or self.adviser_email
            or self.corporate_portal_url
            or self.account_service_email
            or self.account_service_phone
        )

    def day(self, instant: datetime) -> date:
        """The workspace's own calendar day at that instant; moved to the west, not before the last one.

        What was paid on a day that comes a second time would begin tomorrow, and be cut before it began.
        """
        day = instant.astimezone(ZoneInfo(self.time_zone)).date()
        return day if self.day_reached is None else max(day, self.day_reached)


class Member(Model):
    """A person of a workspace. `joined_at` is NULL until an invitation is accepted; it counts already.

    `wanted_role` is what somebody was invited as who is a guest for lack of a seat: theirs once there is one.
    """

    workspace = ForeignKeyField(Workspace, backref="members", on_delete="RESTRICT")
    person = ForeignKeyField(Person, backref="memberships", on_delete="RESTRICT")
    role = VocabularyWord(Role, default=Role.MEMBER)
    status = VocabularyWord(MemberStatus, default=MemberStatus.ACTIVE)
    is_upgrader = BooleanField(default=False)
    created_at = UTCDateTimeField()
    joined_at = UTCDateTimeField(null=True)
    wanted_role = VocabularyWord(Role, null=True)

    workspace_id: int
    person_id: int

    class Meta:
        indexes = (
            (("workspace", "person"), True),
            (("workspace", "status", "role"), False),
            (("workspace", "id"), False),
        )

    @property
    def is_active(self) -> bool:
        return self.status == MemberStatus.ACTIVE

    @classmethod
    def owners(cls, workspace: Workspace) -> "ModelSelect[Member]":
        return (
            cls.select(cls, Person)
            .join(Person)
            .where(cls.workspace == workspace, cls.role == Role.OWNER, cls.status == MemberStatus.ACTIVE)
            .order_by(cls.id)
        )


class Contact(Model):
    """Who gets the letters about money in copy: a member, or an address that needs no membership.

    Either `member`, with the address and language of their person, or `email` (in lower case) and `language`.
    `confirmed_at` is NULL until somebody who reads mail there agreed. `bounced_at` and `bounce_reason` are of
    an address alone: a member's stand with their person. Instants are the machine's, like those of links.
    """

    workspace = ForeignKeyField(Workspace, backref="contacts", index=False, on_delete="RESTRICT")
    member = ForeignKeyField(Member, null=True, unique=True, backref="contacts", on_delete="CASCADE")
    email = ShortText(max_length=254, null=True, constraints=[Check("email = lower(email)")])
    language = ShortText(max_length=5, null=True)
    added_by = ForeignKeyField(Person, null=True, backref="+", on_delete="SET NULL")
    created_at = UTCDateTimeField()
    confirmed_at = UTCDateTimeField(null=True)
    bounced_at = UTCDateTimeField(null=True)
    bounce_reason = ShortText(max_length=200, null=True)

    workspace_id: int
    member_id: int | None
    added_by_id: int | None

    class Meta:
        indexes = ((("workspace", "email"), True), (("email",), False))
        constraints = [
            Check("(member_id IS NULL) = (email IS NOT NULL)"),
            Check("(email IS NULL) = (language IS NULL)"),
        ]

    @property
    def address(self) -> str:
        return self.email or self._person.email

    @property
    def name(self) -> str:
        """Empty for an address: nobody said whose it is."""
        return self._person.name if self.member else ""

    def reads_in(self, workspace: Workspace) -> str:
        return self.language or (self.member and self._person.language) or workspace.language

    @property
    def is_confirmed(self) -> bool:
        """A member's address may also have been proved since, by signing in with a link."""
        by_person = self._person.email_proved_at if self.member else None
        return self.confirmed_at is not None or by_person is not None

    @property
    def came_back_at(self) -> datetime | None:
        return self._person.bounced_at if self.member else self.bounced_at

    @property
    def came_back_because(self) -> str:
        return (self._person.bounce_reason if self.member else self.bounce_reason) or ""

    @property
    def _person(self) -> Person:
        assert self.member is not None
        return self.member.person

    @property
    def is_disabled(self) -> bool:
        return self.member is not None and self.member.status == MemberStatus.DISABLED

    @property
    def gets_mail(self) -> bool:
        return self.is_confirmed and self.came_back_at is None and not self.is_disabled

    @classmethod
    def with_people(cls, workspace: Any) -> "ModelSelect[Contact]":
        """Those of a workspace, each with its member and their person, the oldest first. One query."""
        return (
            cls.select(cls, Member, Person)
            .join_from(cls, Member, JOIN.LEFT_OUTER)
            .join_from(Member, Person, JOIN.LEFT_OUTER)
            .where(cls.workspace == workspace)
            .order_by(cls.id)
        )


class Session(Model):
    """A signed-in (or anonymous) browser. The cookie's token is kept as a hash only.

    `other_ip_address`: a browser on two networks, IPv4 and IPv6, comes by either; the first address seen of
    the second kind.
    """

    token_hash = ShortText(max_length=64, unique=True)
    person = ForeignKeyField(Person, null=True, backref="sessions", on_delete="CASCADE")
    stored = JSONField()
    ip_address = ShortText(max_length=45)
    user_agent = ShortText(max_length=200)
    created_at = UTCDateTimeField()
    seen_at = UTCDateTimeField(index=True)
    other_ip_address = ShortText(max_length=45, null=True)

    person_id: int | None


class CalendarAddress(Model):
    """The private address at which a member's own calendar reads the coming charges, kept as a hash only.

    It shows what the member may see, as long as they may: a new one ends the one before.
    """

    member = ForeignKeyField(Member, unique=True, on_delete="CASCADE")
    token_hash = ShortText(max_length=64, unique=True)
    created_at = UTCDateTimeField()

    member_id: int


class UnsentForm(Model):
    """What was typed into a form whose session had ended, until the person has signed in again.

    `person` is NULL where it was no longer known whose session it was. Never a password, never a card.
    """

    token_hash = ShortText(max_length=64, unique=True)
    person = ForeignKeyField(Person, null=True, on_delete="CASCADE")
    page = ShortText(max_length=500)
    fields = JSONField()
    expires_at = UTCDateTimeField(index=True)

    person_id: int | None


class TrialTaken(Model):
    """An owner's address, as a keyed hash, whose workspace was deleted: no second trial until `until_on`."""

    address_hash = ShortText(max_length=64, unique=True)
    until_on = DateField(index=True)


class LimitBucket(Model):
    """Tries counted in one window of one rate limit."""

    key = ShortText(max_length=200, unique=True)
    tries = WholeNumber()
    ends_at = UTCDateTimeField(index=True)


# --- what a workspace has -------------------------------------------------------------------------


class BillingDetails(Model):
    """The workspace's present billing details; documents keep a copy of what they were."""

    workspace = ForeignKeyField(Workspace, unique=True, on_delete="RESTRICT")
    is_business = BooleanField(default=False)
    company_name = ShortText(max_length=200, default="")
    vat_number = ShortText(max_length=20, default="")
    vat_status = VocabularyWord(VatStatus, default=VatStatus.NONE)
    first_name = ShortText(max_length=200)
    last_name = ShortText(max_length=200)
    street = ShortText(max_length=200)
    street2 = ShortText(max_length=200, default="")
    postal_code = ShortText(max_length=20, default="")
    city = ShortText(max_length=200)
    region = ShortText(max_length=100, default="")
    country = ShortText(max_length=2)
    email = ShortText(max_length=254)
    tax_number = ShortText(max_length=40, default="")
    legal_number = ShortText(max_length=40, default="")
    legal_status = ShortText(max_length=40, default="")
    electronic_address = ShortText(max_length=120, default="")
    purchase_order = ShortText(max_length=LONGEST_PURCHASE_ORDER, default="", constraints=[SQL("DEFAULT ''")])


class VatCheck(Model):
    """What the official register said of a VAT number. Never changed: it proves why no VAT was charged.

    `consultation_number` is the register's own for the question, "" where it gave none.
    """

    workspace = ForeignKeyField(Workspace, on_delete="RESTRICT", index=False)
    vat_number = ShortText(max_length=20)
    is_valid = BooleanField()
    consultation_number = ShortText(max_length=60)
    answered_at = UTCDateTimeField()

    class Meta:
        indexes = ((("workspace", "vat_number"), False),)


class PaymentMethod(Model):
    """A stored way to pay: the gateway's reference and what may be shown of it, never a number.

    Nothing is charged by itself to one that was stopped at `stopped_at`: its holder disputed a payment.
    Behind the preferred one the others are asked by their `rank`, the older first where two are alike.
    A debit has the reference of its mandate and the day on which it was given. `expiry_look_at` is when the
    run must look whether somebody is to be told that it expires (domain/expiry.py), NULL for never.
    """

    workspace = ForeignKeyField(Workspace, backref="payment_methods", on_delete="RESTRICT")
    added_by = ForeignKeyField(Person, on_delete="RESTRICT")
    gateway = ShortText(max_length=20)
    reference = ShortText(max_length=200)
    kind = VocabularyWord(PaymentMethodKind)
    brand = ShortText(max_length=20, default="")
    last4 = ShortText(max_length=4, default="")
    exp_month = SmallIntegerField(null=True)
    exp_year = SmallIntegerField(null=True)
    holder = ShortText(max_length=200, default="")
    is_preferred = BooleanField(default=False)
    created_at = UTCDateTimeField()
    stopped_at = UTCDateTimeField(null=True)
    removed_at = UTCDateTimeField(null=True)
    rank = SmallIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    mandate_reference = ShortText(max_length=35, default="", constraints=[SQL("DEFAULT ''")])
    mandate_on = DateField(null=True)
    expiry_look_at = UTCDateTimeField(null=True, index=True)

    class Meta:
        indexes = ((("gateway", "reference"), True), (("workspace", "removed_at"), False))


class MethodSetup(Model):
    """One attempt to save a payment method without charging it, recorded before the gateway is asked.

    `key` goes to the gateway and never changes. `method` is what came of it; `reference` and `action_url`
    lead to the page on which the payer confirms. A debit has the mandate that was given for it. `renews`:
    the renewals that are to be charged to the method once it is saved (payments/first_method.py).
    """

    key = ShortText(max_length=40, unique=True)
    workspace = ForeignKeyField(Workspace, backref="method_setups", on_delete="RESTRICT")
    person = ForeignKeyField(Person, on_delete="RESTRICT")
    gateway = ShortText(max_length=20)
    state = VocabularyWord(SetupState, default=SetupState.CREATED)
    method = ForeignKeyField(PaymentMethod, null=True, on_delete="RESTRICT")
    decline_code = ShortText(max_length=40, default="")
    reference = ShortText(max_length=200, default="")
    action_url = ShortText(max_length=500, default="")
    look_ups = WholeNumber(default=0)
    look_up_at = UTCDateTimeField(null=True, index=True)
    created_at = UTCDateTimeField()
    kind = VocabularyWord(
        PaymentMethodKind, default=PaymentMethodKind.CARD, constraints=[SQL("DEFAULT 'card'")]
    )
    mandate_reference = ShortText(max_length=35, default="", constraints=[SQL("DEFAULT ''")])
    mandate_on = DateField(null=True)
    renews = JSONField(null=True)

    workspace_id: int
    person_id: int

    @property
    def is_open(self) -> bool:
        """Whether its result is not known yet."""
        return self.state in OPEN_SETUP_STATES


class Subscription(Model):
    """A workspace's running agreement to one plan of a product. Its state is derived from dates.

    `due_on` is the end (excluded) of what is paid or tried, NULL for a free plan. The anchor day
    is remembered: 31 January → 28 February → 31 March.

    With auto-renewal on, `renew_on` is the day of the next automatic charge and `announced_minor` the total,
    tax included, that was last told: no more than that is charged. `announced_net_minor` is the price in it,
    which stays until a rise was mailed in time (price_lock.py). `renewal_failed_on` is the first failed
    try of this due date. `scheduled_plan`, `scheduled_interval` and `scheduled_quantity` begin on the due
    date. `look_at` is when the run must look at the row again (domain/timeline.py); whoever changes the row
    sets it to now.

    `pays_by_transfer`: its next period is invoiced ahead, to be paid by bank transfer. `unpaid_on` is the
    last day on which its oldest open invoice can be paid in time, NULL where none is open.

    Of licensed products alone: `trial_until` is the end (excluded) of the product's trial, NULL where there
    was none; it stays for ever, as the row does, since there is one trial per workspace. `cancelled_at` is
    when somebody decided that it shall end with what is paid, NULL while it goes on. Nothing is charged then:
    auto-renewal is off, and what was told of the next charge stays for whoever takes the cancellation back.
    """

    workspace = ForeignKeyField(Workspace, backref="subscriptions", on_delete="RESTRICT")
    product = ForeignKeyField(Product, on_delete="RESTRICT")
    plan = ForeignKeyField(Plan, on_delete="RESTRICT")
    price = ForeignKeyField(Price, null=True, on_delete="RESTRICT")
    quantity = WholeNumber(default=1, constraints=[Check("quantity > 0")])
    started_on = DateField()
    due_on = DateField(null=True)
    anchor_day = SmallIntegerField(constraints=[Check("anchor_day BETWEEN 1 AND 31")])
    auto_renewal = BooleanField(default=False)
    payment_method = ForeignKeyField(PaymentMethod, null=True, on_delete="RESTRICT")
    locked_price_minor = MinorUnits(null=True, constraints=[Check("locked_price_minor >= 0")])
    locked_until = DateField(null=True)
    renew_on = DateField(null=True)
    announced_minor = MinorUnits(null=True, constraints=[Check("announced_minor >= 0")])
    announced_net_minor = MinorUnits(null=True, constraints=[Check("announced_net_minor >= 0")])
    renewal_failed_on = DateField(null=True)
    scheduled_plan = ForeignKeyField(Plan, null=True, backref="+", on_delete="RESTRICT")
    scheduled_interval = VocabularyWord(Interval, null=True)
    look_at = UTCDateTimeField(null=True)
    version = WholeNumber(default=1)
    created_at = UTCDateTimeField()
    trial_until = DateField(null=True)
    cancelled_at = UTCDateTimeField(null=True)
    scheduled_quantity = WholeNumber(null=True, constraints=[Check("scheduled_quantity > 0")])
    pays_by_transfer = BooleanField(default=False, constraints=[SQL("DEFAULT false")])
    unpaid_on = DateField(null=True)

    workspace_id: int
    product_id: int
    plan_id: int
    price_id: int | None
    payment_method_id: int | None
    scheduled_plan_id: int | None
    open_payment_state: str | None = None
    """Of its payment that waits for its result. No column: whoever needs it reads it along."""
    open_refund_state: str | None = None
    """Of its refund, likewise."""

    @property
    def renewal_has_failed(self) -> bool:
        """The automatic charge of this due date was tried in vain, or could not be tried."""
        return self.auto_renewal and self.renewal_failed_on is not None

    @property
    def awaits_a_result(self) -> bool:
        """Money may have moved: a payment was asked for, and only the gateway can say what came of it."""
        return self.open_payment_state not in (None, PaymentState.ACTION_REQUIRED)

    @property
    def has_open_money(self) -> bool:
        """A payment or a refund waits for its result: nothing is charged, chosen or scheduled beside it."""
        return self.open_payment_state is not None or self.open_refund_state is not None

    @property
    def waits_for_refund(self) -> bool:
        """What is open is a refund, and no payment."""
        return self.open_payment_state is None and self.open_refund_state is not None

    @property
    def renews_once_taken_back(self) -> bool:
        """Of a cancelled one: it was renewed by itself, and is again when the cancellation is taken back."""
        return self.cancelled_at is not None and self.announced_net_minor is not None

    class Meta:
        indexes = ((("workspace", "product"), True), (("look_at", "id"), False))
        constraints = [Check("due_on IS NULL OR due_on > started_on")]


# --- orders, invoices, payments -------------------------------------------------------------------


class Licence(Model):
    """A licence of a subscription that is assigned to a member; free ones have no row.

    `assigned_by` is NULL once that person is forgotten.
    """

    subscription = ForeignKeyField(Subscription, backref="licences", index=False, on_delete="RESTRICT")
    member = ForeignKeyField(Member, backref="licences", on_delete="RESTRICT")
    assigned_at = UTCDateTimeField()
    assigned_by = ForeignKeyField(Person, null=True, backref="+", on_delete="SET NULL")

    subscription_id: int
    member_id: int

    class Meta:
        indexes = ((("subscription", "member"), True),)


class LicenceKey(Model):
    """A key that activates a product in the vendor's own application; at most one of a subscription is live.

    The key stands nowhere: it follows from `seed` and PORTAL_SECRET_KEY, and `digest` recognises it when it
    is typed (services/subscriptions/licence_keys.py). `activated_at` is when it was first taken,
    `replaced_at` when another took its place: it is never live again, and its row stays to say so.
    """

    subscription = ForeignKeyField(Subscription, backref="+", on_delete="RESTRICT")
    seed = ShortText(max_length=64)
    digest = ShortText(max_length=64, unique=True)
    made_at = UTCDateTimeField()
    activated_at = UTCDateTimeField(null=True)
    replaced_at = UTCDateTimeField(null=True)

    subscription_id: int


LicenceKey.add_index(
    LicenceKey.index(
        LicenceKey.subscription,
        unique=True,
        name="licence_key_one_live",
        where=LicenceKey.replaced_at.is_null(),
    )
)


class Order(Model):
    """A frozen quote, first open, then placed, then paid. The amounts never change once placed; the days of
    what begins when it is paid do, where a debit takes its time (payments/giving.py).

    One that is paid by bank transfer is invoiced in between. `given_at` is when what it buys was given: with
    the payment, or before it where its invoice is open.

    `quote` is what the person was shown (domain/pricing.py); `quote_hash` identifies it; the four amount
    columns repeat its totals so that the database can add them up, and the order's lines its lines.
    `from_balance_minor` of the total is paid from the balance. `reserved_minor` of that was kept before,
    and not given back with the order: no other order counts on it while this one is placed.
    """

    number = ShortText(max_length=20, unique=True)
    workspace = ForeignKeyField(Workspace, backref="orders", on_delete="RESTRICT")
    person = ForeignKeyField(Person, on_delete="RESTRICT")
    state = VocabularyWord(OrderState, default=OrderState.OPEN)
    display_currency = CurrencyCode()
    currency = CurrencyCode()
    method_kind = VocabularyWord(PaymentMethodKind, default=PaymentMethodKind.CARD)
    details = JSONField(null=True)
    quote = JSONField()
    quote_hash = ShortText(max_length=64)
    net_minor = MinorUnits(constraints=[Check("net_minor >= 0")])
    tax_minor = MinorUnits(constraints=[Check("tax_minor >= 0")])
    total_minor = MinorUnits(constraints=[Check("total_minor >= 0")])
    auto_renewal = BooleanField(default=False)
    created_at = UTCDateTimeField()
    given_at = UTCDateTimeField(null=True)
    from_balance_minor = MinorUnits(
        default=0, constraints=[SQL("DEFAULT 0"), Check("from_balance_minor BETWEEN 0 AND total_minor")]
    )
    reserved_minor = MinorUnits(
        default=0, constraints=[SQL("DEFAULT 0"), Check("reserved_minor BETWEEN 0 AND from_balance_minor")]
    )

    workspace_id: int
    person_id: int
    lines: "Sequence[OrderLine]"
    """In their order. A query each time until services/orders.py has read them."""
    newest_payment: "Payment | None"
    """The last attempt to pay it, where services/checkout/ordering.py has read the order."""
    _frozen_lines: "tuple[object, tuple[FrozenLine, ...]] | None" = None
    """The quote that was read last, and its lines: they are asked for again and again."""

    class Meta:
        table_name = "purchase_order"
        constraints = [Check("net_minor + tax_minor = total_minor")]
        indexes = (
            (("workspace", "created_at"), False),
            (("workspace", "id"), False),
            (("person", "id"), False),
        )

    @property
    def frozen_lines(self) -> tuple[FrozenLine, ...]:
        """Its lines as they were shown, with the names and figures of that day. Without a query."""
        quote, lines = self._frozen_lines or (None, ())
        if quote is not self.quote:
            lines = frozen_lines(self.quote)
            self._frozen_lines = self.quote, lines
        return lines

    @property
    def from_balance(self) -> Money:
        """What the balance pays of the total."""
        return Money(self.from_balance_minor, self.currency)

    @property
    def due(self) -> Money:
        """What a gateway is asked for: the total without what the balance pays."""
        return Money(self.total_minor - self.from_balance_minor, self.currency)

    @property
    def plan_line(self) -> FrozenLine | None:
        """The one for the workspace plan; None where licences alone are bought. Without a query."""
        return next((line for line in self.frozen_lines if not line.is_licensed), None)

    @property
    def is_renewal(self) -> bool:
        """Whether the portal made it, for an automatic charge. Without a query."""
        return all(line.kind is OrderKind.RENEWAL for line in self.frozen_lines)


Order.add_index(
    Order.index(
        Order.workspace,
        name="purchase_order_reserves_balance",
        where=(Order.state == OrderState.PLACED) & (Order.reserved_minor > 0),
    )
)


class OrderLine(Model):
    """What an order buys for one subscription, as its quote has it. `position` counts from 1.

    Its period is [start_on, end_on), of which the price pays for the days before `base_end_on`.
    `subscription` is NULL until a first purchase is paid. `renews_on` is the due date that a renewal is for:
    the unique index `order_line_one_renewal_per_due_date` refuses a second. `refunded_at` is when its money
    was sent back.
    """

    order = ForeignKeyField(Order, backref="lines", index=False, on_delete="CASCADE")
    position = SmallIntegerField(constraints=[Check("position > 0")])
    kind = VocabularyWord(OrderKind)
    subscription = ForeignKeyField(Subscription, null=True, backref="order_lines", on_delete="RESTRICT")
    plan = ForeignKeyField(Plan, index=False, on_delete="RESTRICT")
    price = ForeignKeyField(Price, index=False, on_delete="RESTRICT")
    interval = VocabularyWord(Interval)
    quantity = WholeNumber(default=1, constraints=[Check("quantity > 0")])
    start_on = DateField()
    base_end_on = DateField()
    end_on = DateField()
    anchor_day = SmallIntegerField(constraints=[Check("anchor_day BETWEEN 1 AND 31")])
    net_minor = MinorUnits(constraints=[Check("net_minor >= 0")])
    tax_minor = MinorUnits(constraints=[Check("tax_minor >= 0")])
    renews_on = DateField(null=True)
    refunded_at = UTCDateTimeField(null=True)

    order_id: int
    subscription_id: int | None
    plan_id: int
    price_id: int

    class Meta:
        indexes = ((("order", "position"), True),)
        constraints = [Check("base_end_on > start_on AND end_on >= base_end_on")]

    @property
    def frozen(self) -> FrozenLine:
        """As it was shown, with the names and figures of that day."""
        return self.order.frozen_lines[self.position - 1]

    @property
    def total_minor(self) -> int:
        """Tax included."""
        return self.net_minor + self.tax_minor


OrderLine.add_index(
    OrderLine.index(
        OrderLine.subscription,
        OrderLine.renews_on,
        unique=True,
        name="order_line_one_renewal_per_due_date",
        where=OrderLine.refunded_at.is_null(),
    )
)


class CartLine(Model):
    """What somebody of the workspace has chosen of a product and nobody has ordered yet.

    `unit_minor` is what one unit cost when it was last chosen, or last ordered, by `price`. `order` is the
    placed order that took the line along: while its payment is open the line is not in the cart, it comes
    back when that is declined, and goes when it is paid. `added_by` is who chose last.
    """

    workspace = ForeignKeyField(Workspace, backref="cart_lines", index=False, on_delete="RESTRICT")
    product = ForeignKeyField(Product, index=False, on_delete="RESTRICT")
    plan = ForeignKeyField(Plan, index=False, on_delete="RESTRICT")
    price = ForeignKeyField(Price, index=False, on_delete="RESTRICT")
    interval = VocabularyWord(Interval)
    quantity = WholeNumber(default=1, constraints=[Check("quantity > 0")])
    currency = CurrencyCode()
    unit_minor = MinorUnits(constraints=[Check("unit_minor >= 0")])
    order = ForeignKeyField(Order, null=True, on_delete="SET NULL")
    added_by = ForeignKeyField(Person, null=True, on_delete="SET NULL")
    changed_at = UTCDateTimeField()

    workspace_id: int
    product_id: int
    plan_id: int
    price_id: int
    order_id: int | None
    added_by_id: int | None

    class Meta:
        indexes = ((("workspace", "product"), True),)

    @property
    def seen(self) -> Money:
        return Money(self.unit_minor, self.currency)

    @property
    def choice(self) -> Choice:
        """As somebody chose it. The plan is read along by whoever reads the cart."""
        return Choice(self.plan.code, self.interval, self.quantity)

    @property
    def version(self) -> str:
        """Tells what the line says from what it said before."""
        return version_of(self.choice)


class PurchaseRequest(Model):
    """A member asks for what they may not buy alone; whoever may approve orders it, or says no.

    `number` is its address. `fingerprint` identifies what was shown to the asker, so that one form sent twice
    is one request. `order` is what an approver made of it last: paid, the request is approved; given up, it
    is open still. Nobody approves it from `expires_at` on; the run writes the state down.
    """

    number = ShortText(max_length=20, unique=True)
    workspace = ForeignKeyField(Workspace, backref="purchase_requests", index=False, on_delete="RESTRICT")
    asker = ForeignKeyField(Person, null=True, on_delete="SET NULL")
    note = TextField(default="")
    currency = CurrencyCode()
    fingerprint = ShortText(max_length=32)
    state = VocabularyWord(RequestState, default=RequestState.OPEN)
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField()
    order = ForeignKeyField(Order, null=True, unique=True, on_delete="SET NULL")
    decided_by = ForeignKeyField(Person, null=True, on_delete="SET NULL")
    decided_at = UTCDateTimeField(null=True)
    reason = TextField(default="")

    workspace_id: int
    asker_id: int | None
    order_id: int | None
    decided_by_id: int | None

    class Meta:
        indexes = ((("workspace", "id"), False), (("state", "expires_at"), False))

    def state_at(self, now: datetime) -> RequestState:
        """With its order read along; one query more where it was not."""
        is_being_paid = self.order is not None and self.order.state == OrderState.PLACED
        return state_at(
            RequestState(self.state), ends_at=self.expires_at, is_being_paid=is_being_paid, now=now
        )


class PurchaseRequestLine(Model):
    """What is asked for of one product; `unit_minor` is what one unit cost, by `price`, when it was asked."""

    request = ForeignKeyField(PurchaseRequest, backref="lines", index=False, on_delete="RESTRICT")
    product = ForeignKeyField(Product, index=False, on_delete="RESTRICT")
    plan = ForeignKeyField(Plan, index=False, on_delete="RESTRICT")
    price = ForeignKeyField(Price, index=False, on_delete="RESTRICT")
    interval = VocabularyWord(Interval)
    quantity = WholeNumber(default=1, constraints=[Check("quantity > 0")])
    unit_minor = MinorUnits(constraints=[Check("unit_minor >= 0")])

    request_id: int
    product_id: int
    plan_id: int
    price_id: int

    class Meta:
        indexes = ((("request", "product"), True),)

    @property
    def net(self) -> Money:
        """All of it, as it was shown. With its price read along."""
        unit = Money(self.unit_minor, self.price.currency)
        return unit if self.price.unit == PriceUnit.FLAT else unit * self.quantity


class BoughtAlone(Model):
    """An order that a member placed under the workspace's ceiling, and the workspace's day on which.

    While the order is placed or paid its total counts in that calendar month.
    """

    order = ForeignKeyField(Order, unique=True, on_delete="CASCADE")
    workspace = ForeignKeyField(Workspace, index=False, on_delete="RESTRICT")
    bought_on = DateField()

    order_id: int
    workspace_id: int

    class Meta:
        indexes = ((("workspace", "bought_on"), False),)


class SubscriptionPeriod(Model):
    """What one payment (or a trial) gave: half-open [start, end), its base part ending at base_end.

    Append-only. A change cuts the running period short by setting `end` to its day; a refund of that change
    sets it back (services/subscriptions/restoring.py).
    """

    subscription = ForeignKeyField(Subscription, backref="periods", on_delete="RESTRICT")
    plan = ForeignKeyField(Plan, on_delete="RESTRICT")
    price = ForeignKeyField(Price, null=True, on_delete="RESTRICT")
    line = ForeignKeyField(OrderLine, null=True, unique=True, on_delete="RESTRICT")
    start_on = DateField()
    base_end_on = DateField(null=True)
    end_on = DateField(null=True)
    net_minor = MinorUnits(default=0, constraints=[Check("net_minor >= 0")])
    currency = CurrencyCode(null=True)
    created_at = UTCDateTimeField()

    subscription_id: int

    class Meta:
        indexes = ((("subscription", "end_on"), False),)
        constraints = [Check("end_on IS NULL OR end_on >= start_on")]


class Payment(Model):
    """One attempt to move money for one order, recorded before the gateway is asked.

    `key` goes to the gateway as the idempotency key and never changes. At most one attempt of an
    order is alive or paid: the partial unique index `payment_one_live_per_order` refuses a second.
    `method` is the saved method that was charged, NULL for what was typed at the checkout; `tried_on` the
    workspace's day on which it was charged while the payer was away, NULL where they pressed the button.
    `may_work_later`: the decline was a soft one. An order that the balance alone pays has a payment too, of
    its total, paid with PaidWith.BALANCE: no gateway was asked, and no money moved. A debit of an account
    that was typed at the checkout has the reference of its mandate and the day on which it was given.
    `by_link`: whoever pays an open invoice by the link of a letter, and may be nobody here.
    """

    key = ShortText(max_length=40, unique=True)
    workspace = ForeignKeyField(Workspace, on_delete="RESTRICT")
    order = ForeignKeyField(Order, backref="payments", on_delete="RESTRICT")
    gateway = ShortText(max_length=20)
    method = ForeignKeyField(PaymentMethod, null=True, on_delete="RESTRICT")
    amount_minor = MinorUnits(constraints=[Check("amount_minor > 0")])
    currency = CurrencyCode()
    state = VocabularyWord(PaymentState, default=PaymentState.CREATED)
    decline_code = ShortText(max_length=40, default="")
    may_work_later = BooleanField(default=False)
    reference = ShortText(max_length=200, default="")
    action_url = ShortText(max_length=500, default="")
    method_kind = VocabularyWord(PaidWith)
    brand = ShortText(max_length=20, default="")
    last4 = ShortText(max_length=4, default="")
    payer_name = ShortText(max_length=200, default="")
    payer_email = ShortText(max_length=254, default="")
    look_ups = WholeNumber(default=0)
    look_up_at = UTCDateTimeField(null=True, index=True)
    tried_on = DateField(null=True)
    created_at = UTCDateTimeField()
    settled_at = UTCDateTimeField(null=True)
    by_link = BooleanField(default=False, constraints=[SQL("DEFAULT false")])
    mandate_reference = ShortText(max_length=35, default="", constraints=[SQL("DEFAULT ''")])
    mandate_on = DateField(null=True)

    workspace_id: int
    order_id: int
    method_id: int | None

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def is_open(self) -> bool:
        """Whether its result is not known yet."""
        return self.state in OPEN_PAYMENT_STATES


Payment.add_index(
    Payment.index(
        Payment.order,
        unique=True,
        name="payment_one_live_per_order",
        where=Payment.state != PaymentState.DECLINED,
    )
)
Payment.add_index(
    Payment.index(Payment.workspace, name="payment_open", where=Payment.look_up_at.is_null(False))
)


class Dispute(Model):
    """A payment that its payer had taken back by their bank: told by the gateway, written down once.

    `payload` is what the gateway said, verbatim; `opened_at` is its time. The payment itself stays succeeded.
    """

    workspace = ForeignKeyField(Workspace, backref="disputes", on_delete="RESTRICT")
    payment = ForeignKeyField(Payment, unique=True, backref="disputes", on_delete="RESTRICT")
    event_id = ShortText(max_length=200)
    payload = TextField()
    opened_at = UTCDateTimeField()
    created_at = UTCDateTimeField()

    workspace_id: int
    payment_id: int


class NumberSeries(Model):
    """The next number of a series of documents, e.g. INV-2026: taken and used in one transaction."""

    name = ShortText(max_length=20, unique=True)
    next_number = WholeNumber(default=1, constraints=[Check("next_number >= 1")])


class Invoice(Model):
    """An issued document: numbered, frozen, never changed. `facts` is every printed fact.

    One invoice per paid order that stands. A credit note belongs to the order of the invoice that it
    `credits`: one for the whole once that is refunded or corrected, or several for parts of its lines, which
    `CreditedLine` names. Amounts are positive on both kinds.

    An invoice whose details were wrong is `replaced_by` another of the same order, whose `details` are the
    buyer's as they were corrected; NULL on one that has those of its order (docs/adr/0044).

    An open invoice, which is to be paid after its issue, has the last day for that in `due_on`, and
    `reference` is what a transfer quotes. `remind_on` is the day on which the run looks at it next, NULL once
    it is covered; `reminded_on` the last one of which a reminder told.
    """

    workspace = ForeignKeyField(Workspace, backref="invoices", on_delete="RESTRICT")
    order = ForeignKeyField(Order, backref="documents", on_delete="RESTRICT")
    credits = ForeignKeyField("self", null=True, backref="+", on_delete="RESTRICT")
    kind = VocabularyWord(DocumentKind, default=DocumentKind.INVOICE)
    series = ShortText(max_length=20)
    sequence = WholeNumber(constraints=[Check("sequence >= 1")])
    number = ShortText(max_length=30, unique=True)
    issued_on = DateField()
    issued_at = UTCDateTimeField()
    currency = CurrencyCode()
    net_minor = MinorUnits(constraints=[Check("net_minor >= 0")])
    tax_minor = MinorUnits(constraints=[Check("tax_minor >= 0")])
    total_minor = MinorUnits(constraints=[Check("total_minor >= 0")])
    facts = JSONField()
    facts_hash = ShortText(max_length=64)
    due_on = DateField(null=True)
    reference = ShortText(max_length=25, null=True, unique=True)
    remind_on = DateField(null=True)
    reminded_on = DateField(null=True)
    replaced_by = ForeignKeyField(
        "self",
        null=True,
        index=False,
        backref="+",
        on_delete="RESTRICT",
        constraints=[Check("replaced_by_id IS NULL OR kind = 'invoice'")],
    )
    details = JSONField(null=True, constraints=[Check("details IS NULL OR kind = 'invoice'")])

    workspace_id: int
    order_id: int
    replaced_by_id: int | None

    class Meta:
        indexes = ((("series", "sequence"), True), (("workspace", "id"), False))
        constraints = [
            Check("net_minor + tax_minor = total_minor"),
            Check("(kind = 'credit_note') = (credits_id IS NOT NULL)"),
        ]

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @classmethod
    def is_current(cls, invoice: Any = None) -> Expression:
        """Whether it is the one invoice of its order that stands: a part of a query, or of an alias."""
        row = cls if invoice is None else invoice
        return (row.kind == DocumentKind.INVOICE) & row.replaced_by.is_null()

    @classmethod
    def of_order(cls, order: "Order | int") -> "Invoice":
        """The one that stands. Raises DoesNotExist before it is issued. One query."""
        return cls.get(cls.order == order, cls.is_current())


Invoice.add_index(
    Invoice.index(
        Invoice.order,
        unique=True,
        name="invoice_one_per_order",
        where=Invoice.is_current(),
    )
)
Invoice.add_index(
    # Of the few that are: PostgreSQL without statistics would look for those that are not by it.
    Invoice.index(
        Invoice.replaced_by,
        unique=True,
        name="invoice_replaced_by",
        where=Invoice.replaced_by.is_null(False),
    )
)
Invoice.add_index(
    Invoice.index(Invoice.remind_on, name="invoice_to_remind_of", where=Invoice.remind_on.is_null(False))
)


class Link(Model):
    """A link of a letter: to a person or a contact, used once; or to an open invoice, which it pays.

    Using one of the first two ends the others of its purpose. `email` is the address that using it gives to
    the person, for the purposes that give one. One to an invoice is opened as often as wanted until
    `expires_at`, by the business clock; NULL until the invoice is paid (services/invoices/pay_links.py).
    """

    token_hash = ShortText(max_length=64, unique=True)
    purpose = VocabularyWord(LinkPurpose)
    person = ForeignKeyField(Person, null=True, on_delete="CASCADE")
    member = ForeignKeyField(Member, null=True, on_delete="CASCADE")
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField(null=True)
    used_at = UTCDateTimeField(null=True)
    email = ShortText(max_length=254, null=True)
    contact = ForeignKeyField(Contact, null=True, backref="links", on_delete="CASCADE")
    invoice = ForeignKeyField(Invoice, null=True, backref="links", on_delete="CASCADE")

    person_id: int | None
    contact_id: int | None
    invoice_id: int | None

    class Meta:
        constraints = [
            Check(
                "CASE WHEN person_id IS NULL THEN 0 ELSE 1 END"
                " + CASE WHEN contact_id IS NULL THEN 0 ELSE 1 END"
                " + CASE WHEN invoice_id IS NULL THEN 0 ELSE 1 END = 1"
            ),
            Check("(purpose = 'pay') = (invoice_id IS NOT NULL)"),
            Check("expires_at IS NOT NULL OR invoice_id IS NOT NULL"),
        ]

    @property
    def holder(self) -> Person:
        """The person whom it was sent to; every purpose but a contact's and an invoice's has one."""
        assert self.person is not None
        return self.person


class Refund(Model):
    """The money of a payment sent back, recorded before the gateway is asked; `key` never changes.

    `line` is the one line of the order that it undoes; NULL for all of them. `credit_note` is that of the
    document which it sent back, once it succeeded. A payment has one refund whose result is open, and no line
    goes back twice.
    """

    key = ShortText(max_length=40, unique=True)
    workspace = ForeignKeyField(Workspace, on_delete="RESTRICT")
    payment = ForeignKeyField(Payment, backref="refunds", on_delete="RESTRICT")
    person = ForeignKeyField(Person, on_delete="RESTRICT")
    amount_minor = MinorUnits(constraints=[Check("amount_minor > 0")])
    currency = CurrencyCode()
    state = VocabularyWord(RefundState, default=RefundState.CREATED)
    refusal_code = ShortText(max_length=40, default="")
    reference = ShortText(max_length=200, default="")
    tries = WholeNumber(default=0)
    ask_again_at = UTCDateTimeField(null=True, index=True)
    created_at = UTCDateTimeField()
    settled_at = UTCDateTimeField(null=True)
    line = ForeignKeyField(OrderLine, null=True, index=False, on_delete="RESTRICT")
    credit_note = ForeignKeyField(Invoice, null=True, unique=True, backref="+", on_delete="RESTRICT")

    workspace_id: int
    payment_id: int
    line_id: int | None
    credit_note_id: int | None

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def is_open(self) -> bool:
        """Whether its result is not known yet."""
        return self.state in OPEN_REFUND_STATES

    @classmethod
    def undoes(cls, line: Any) -> Expression:
        """Whether a line (or an alias of lines) of the payment's order goes back: a part of a query."""
        return cls.line.is_null() | (cls.line == line.id)


Refund.add_index(
    Refund.index(
        Refund.payment,
        unique=True,
        name="refund_one_open_per_payment",
        where=Refund.state << OPEN_REFUND_STATES,
    )
)
Refund.add_index(
    Refund.index(
        Refund.payment,
        unique=True,
        name="refund_one_whole_per_payment",
        where=(Refund.state != RefundState.REFUSED) & Refund.line.is_null(),
    )
)
Refund.add_index(
    Refund.index(
        Refund.line,
        unique=True,
        name="refund_one_per_line",
        where=Refund.state != RefundState.REFUSED,
    )
)


class CreditedLine(Model):
    """What a partial credit note gives back of one line of its invoice, whose place there is `position`.

    The days from `start_on` on, as far as the line still paid for them. Its amounts are those of the credit
    note's own line, so that the database can add them up. A line is not credited twice from one day on.
    """

    credit_note = ForeignKeyField(Invoice, backref="credited_lines", index=False, on_delete="RESTRICT")
    invoice = ForeignKeyField(Invoice, backref="+", index=False, on_delete="RESTRICT")
    position = SmallIntegerField(constraints=[Check("position > 0")])
    start_on = DateField()
    net_minor = MinorUnits(constraints=[Check("net_minor > 0")])
    tax_minor = MinorUnits(constraints=[Check("tax_minor >= 0")])

    credit_note_id: int
    invoice_id: int

    class Meta:
        indexes = (
            (("credit_note", "position"), True),
            (("invoice", "position", "start_on"), True),
        )
        constraints = [Check("credit_note_id <> invoice_id")]


class ExchangeRate(Model):
    """What one unit of the seller's currency was worth on a day, in millionths of `currency`. Never changed.

    Of several for one day the one added last counts: so a slip is mended. Documents keep what they used.
    `added_by` is NULL once that operator is gone.
    """

    base = CurrencyCode()
    currency = CurrencyCode()
    rate_on = DateField()
    millionths = WholeNumber(constraints=[Check("millionths > 0")])
    source = ShortText(max_length=200)
    added_by = ForeignKeyField(Person, null=True, index=False, on_delete="SET NULL")
    added_at = UTCDateTimeField()

    class Meta:
        indexes = ((("base", "currency", "rate_on"), False),)


class Document(Model):
    """The bytes of an invoice in one language, made once and then served as they are.

    The e-invoice is the same in every language: its locale is E_INVOICE.
    """

    E_INVOICE: ClassVar[str] = "xml"

    invoice = ForeignKeyField(Invoice, backref="documents", on_delete="RESTRICT")
    locale = ShortText(max_length=5)
    content = BlobField()
    sha256 = ShortText(max_length=64)
    created_at = UTCDateTimeField()

    class Meta:
        indexes = ((("invoice", "locale"), True),)


class BankStatement(Model):
    """What the bank told of the seller's account in one file, written down once. `number` is the bank's own.

    `sha256` is that of the file, which may hold several statements, counted by `position` from 1. `opening`
    and `closing` are signed, NULL where the bank told none. `listed` lines stood there, of which those were
    written down that no earlier statement had told; `not_booked` were left out.
    """

    sha256 = ShortText(max_length=64)
    position = SmallIntegerField(constraints=[Check("position > 0")])
    file_name = ShortText(max_length=200)
    kind = VocabularyWord(BankFileKind)
    account = ShortText(max_length=34)
    number = ShortText(max_length=70)
    currency = CurrencyCode(null=True)
    opening_minor = MinorUnits(null=True)
    closing_minor = MinorUnits(null=True)
    listed = WholeNumber(constraints=[Check("listed >= 0")])
    not_booked = WholeNumber(constraints=[Check("not_booked >= 0")])
    first_on = DateField(null=True)
    last_on = DateField(null=True)
    imported_at = UTCDateTimeField()

    class Meta:
        indexes = ((("sha256", "position"), True),)


class BankTransfer(Model):
    """One amount that came to the seller's account or left it, as the bank told it: once, and for ever.

    Known again by `account` and `key` (domain/bank_files/lines.py), and `part` where one entry of a statement
    holds several. What became of it is its `state` with the `reason`; `workspace` is whose it is, once that
    is known or proposed, and `invoice_ids` are those of its invoices that it names. `note` is why an operator
    set it aside, or undid its match. `takes_back` is the transfer that the bank took back by this one.
    """

    statement = ForeignKeyField(BankStatement, backref="transfers", index=False, on_delete="RESTRICT")
    account = ShortText(max_length=34)
    key = ShortText(max_length=50)
    part = SmallIntegerField(constraints=[Check("part >= 0")])
    is_debit = BooleanField()
    amount_minor = MinorUnits(constraints=[Check("amount_minor >= 0")])
    currency = CurrencyCode()
    booked_on = DateField()
    bank_reference = ShortText(max_length=70)
    payer_name = ShortText(max_length=140)
    payer_iban = ShortText(max_length=34)
    end_to_end_id = ShortText(max_length=70)
    reference = ShortText(max_length=70)
    texts = JSONField()
    is_batch = BooleanField(default=False)
    goes_back = BooleanField(default=False)
    state = VocabularyWord(TransferState, default=TransferState.RECEIVED)
    reason = VocabularyWord(TransferReason, default=TransferReason.NONE)
    workspace = ForeignKeyField(Workspace, null=True, backref="bank_transfers", on_delete="RESTRICT")
    invoice_ids = JSONField(default=list)
    takes_back = ForeignKeyField("self", null=True, unique=True, backref="+", on_delete="RESTRICT")
    note = ShortText(max_length=500, default="")
    decided_at = UTCDateTimeField(null=True)

    statement_id: int
    workspace_id: int | None
    takes_back_id: int | None

    class Meta:
        indexes = (
            (("account", "key", "part"), True),
            (("statement", "id"), False),
            (("amount_minor", "booked_on"), False),
        )
        constraints = [
            Check("takes_back_id IS NULL OR is_debit"),
            Check("state NOT IN ('matched', 'to_confirm') OR is_debit OR workspace_id IS NOT NULL"),
        ]

    @property
    def amount(self) -> Money:
        """Of money that came or went, never below 0."""
        return Money(self.amount_minor, self.currency)

    @property
    def waits(self) -> bool:
        """Whether somebody has to say what becomes of it."""
        return self.state in WAITING_TRANSFER_STATES

    @classmethod
    def is_waiting(cls) -> SQL:
        """As `waits`, of many. A literal: with a parameter the index would not be found to be for it."""
        return SQL("\"state\" IN ('to_confirm', 'parked')")


BankTransfer.add_index(
    BankTransfer.index(BankTransfer.id, name="bank_transfer_waiting", where=BankTransfer.is_waiting())
)
BankTransfer.add_index(
    BankTransfer.index(
        BankTransfer.payer_iban,
        name="bank_transfer_of_payer",
        where=SQL("\"payer_iban\" <> ''"),
    )
)


class BankCsvMapping(Model):
    """What an operator said about the columns of a bank's CSV, for the next file with the same headers."""

    fingerprint = ShortText(max_length=64, unique=True)
    columns = JSONField()
    used_at = UTCDateTimeField()


class BankCsvUpload(Model):
    """A CSV of the bank that waits for somebody to say which column is what; gone once it is imported."""

    sha256 = ShortText(max_length=64, unique=True)
    file_name = ShortText(max_length=200)
    content = BlobField()
    uploaded_at = UTCDateTimeField(index=True)


class Credit(Model):
    """Money that an operator gave to a workspace, or took back of what was given: said once, for ever.

    Append-only. `key` is that of the form, so that two clicks give once. `reason` is printed for the
    customer, as it was typed. `takes_back` is the credit of which this is taken back, NULL where money is
    given.
    """

    key = ShortText(max_length=40, unique=True)
    workspace = ForeignKeyField(Workspace, backref="credits", on_delete="RESTRICT")
    currency = CurrencyCode()
    amount_minor = MinorUnits(constraints=[Check("amount_minor > 0")])
    reason = ShortText(max_length=200)
    takes_back = ForeignKeyField("self", null=True, backref="withdrawals", on_delete="RESTRICT")
    made_at = UTCDateTimeField()

    workspace_id: int
    takes_back_id: int | None

    class Meta:
        constraints = [Check("length(reason) > 0")]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class BalanceEntry(Model):
    """What an issued document, moved money or a credit did to the balance of its workspace: once, for ever.

    Append-only: only services/ledger.py writes here, and nobody changes or deletes a row. `amount_minor` is
    positive where the workspace gets and negative where it owes or takes (domain/ledger.py); `after_minor`
    is the balance in its currency with this entry, the last one of its workspace until the next is written.
    Exactly one cause is set; `invoice` is the document, credit notes too, `credit` also what takes one back;
    `transfer` came, took another one back, or was taken from where an operator had put it. `made_at` is the
    cause's moment, of the business clock.
    """

    workspace = ForeignKeyField(Workspace, backref="balance_entries", index=False, on_delete="RESTRICT")
    currency = CurrencyCode()
    amount_minor = MinorUnits()
    after_minor = MinorUnits()
    kind = VocabularyWord(BalanceEntryKind)
    invoice = ForeignKeyField(Invoice, null=True, index=False, on_delete="RESTRICT")
    payment = ForeignKeyField(Payment, null=True, index=False, on_delete="RESTRICT")
    refund = ForeignKeyField(Refund, null=True, index=False, on_delete="RESTRICT")
    credit = ForeignKeyField(Credit, null=True, index=False, on_delete="RESTRICT")
    transfer = ForeignKeyField(BankTransfer, null=True, index=False, on_delete="RESTRICT")
    made_at = UTCDateTimeField()

    workspace_id: int
    invoice_id: int | None
    payment_id: int | None
    refund_id: int | None
    credit_id: int | None
    transfer_id: int | None

    class Meta:
        indexes = (
            (("workspace", "id"), False),
            (("workspace", "currency", "id"), False),
            (("workspace", "made_at", "id"), False),
        )
        constraints = [
            Check("(kind IN ('invoice', 'credit_note')) = (invoice_id IS NOT NULL)"),
            Check("(kind = 'payment') = (payment_id IS NOT NULL)"),
            Check("(kind = 'refund') = (refund_id IS NOT NULL)"),
            Check("(kind IN ('credit', 'withdrawal')) = (credit_id IS NOT NULL)"),
            Check("(kind IN ('transfer', 'transfer_return')) = (transfer_id IS NOT NULL)"),
            Check(
                "amount_minor = 0 OR (amount_minor > 0)"
                " = (kind IN ('payment', 'credit_note', 'credit', 'transfer'))"
            ),
        ]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def after(self) -> Money:
        return Money(self.after_minor, self.currency)

    @classmethod
    def is_beside_charges(cls) -> SQL:
        """A credit note, refund or credit: few. A literal, as AuditEntry.is_deletion."""
        return SQL("\"kind\" NOT IN ('invoice', 'payment', 'transfer', 'transfer_return')")


BalanceEntry.add_index(
    BalanceEntry.index(
        BalanceEntry.workspace,
        BalanceEntry.id,
        name="balance_entry_beside_charges",
        where=BalanceEntry.is_beside_charges(),
    )
)
for _cause in (
    BalanceEntry.invoice,
    BalanceEntry.payment,
    BalanceEntry.refund,
    BalanceEntry.credit,
    BalanceEntry.transfer,
):
    # Partial: an entry is written to the index of its own cause alone. A transfer is given to somebody again
    # once its match was undone.
    BalanceEntry.add_index(
        BalanceEntry.index(
            _cause,
            unique=_cause is not BalanceEntry.transfer,
            name=f"balance_entry_of_{_cause.name}",
            where=_cause.is_null(False),
        )
    )


class Allocation(Model):
    """So much of what gives covers an invoice, was sent back by a refund, or taken back by bank or operator.

    Append-only: how far an invoice is paid is the sum of its rows. `entry` is always one that gives, but for
    a transfer that takes another one back: it uncovers the invoices of that, so its amounts are negative, and
    `transfer` names it where it takes what was only kept. What was uncovered may be covered again by what has
    covered a part of it before. `withdrawal` is what took it back of a credit. Once an invoice is replaced,
    each amount that had covered it stands against it once more with the other sign: it is the new one's.
    """

    entry = ForeignKeyField(BalanceEntry, backref="allocations", on_delete="RESTRICT")
    invoice = ForeignKeyField(Invoice, null=True, backref="allocations", index=False, on_delete="RESTRICT")
    refund = ForeignKeyField(Refund, null=True, backref="allocations", index=False, on_delete="RESTRICT")
    withdrawal = ForeignKeyField(Credit, null=True, backref="allocations", index=False, on_delete="RESTRICT")
    transfer = ForeignKeyField(BankTransfer, null=True, backref="+", index=False, on_delete="RESTRICT")
    amount_minor = MinorUnits(constraints=[Check("amount_minor <> 0")])

    entry_id: int
    invoice_id: int | None
    refund_id: int | None
    withdrawal_id: int | None
    transfer_id: int | None

    class Meta:
        indexes = ((("invoice", "entry"), False),)
        constraints = [
            Check(
                "CASE WHEN invoice_id IS NULL THEN 0 ELSE 1 END"
                " + CASE WHEN refund_id IS NULL THEN 0 ELSE 1 END"
                " + CASE WHEN withdrawal_id IS NULL THEN 0 ELSE 1 END"
                " + CASE WHEN transfer_id IS NULL THEN 0 ELSE 1 END = 1"
            ),
            Check("amount_minor > 0 OR invoice_id IS NOT NULL"),
        ]


for _target in (Allocation.refund, Allocation.withdrawal, Allocation.transfer):
    Allocation.add_index(
        Allocation.index(
            _target,
            Allocation.entry,
            unique=True,
            name=f"allocation_of_{_target.name}s",
            where=_target.is_null(False),
        )
    )


# --- what is said and asked -----------------------------------------------------------------------


class Notice(Model):
    """Something said once about one due date of a subscription; `said_on` is the workspace's day."""

    subscription = ForeignKeyField(Subscription, backref="notices", on_delete="CASCADE")
    kind = VocabularyWord(NoticeKind)
    about_on = DateField()
    said_on = DateField()

    class Meta:
        indexes = ((("subscription", "about_on", "kind"), True),)


class MethodNotice(Model):
    """Something said once about the last day of a payment method; `said_on` is the workspace's day."""

    method = ForeignKeyField(PaymentMethod, backref="notices", on_delete="CASCADE")
    kind = VocabularyWord(MethodNoticeKind)
    about_on = DateField()
    said_on = DateField()

    class Meta:
        indexes = ((("method", "about_on", "kind"), True),)


class ChangeNotice(Model):
    """A letter about a change of the agreement: `template` and `context` as letters.send got them.

    `sent_on` is NULL while it waits to be mailed with others; then the workspace's own day on which it was.
    """

    workspace = ForeignKeyField(Workspace, on_delete="CASCADE", index=False)
    key = ShortText(max_length=120, unique=True)
    template = ShortText(max_length=60)
    context = JSONField()
    noted_on = DateField()
    sent_on = DateField(null=True)

    class Meta:
        indexes = ((("workspace", "sent_on"), False),)


ChangeNotice.add_index(
    ChangeNotice.index(
        ChangeNotice.noted_on, name="change_notice_waiting", where=ChangeNotice.sent_on.is_null()
    )
)


class NonprofitRequest(Model):
    """An organisation asks for the free plan for non-profits; an operator decides."""

    workspace = ForeignKeyField(Workspace, null=True, on_delete="RESTRICT")
    organisation = ShortText(max_length=200)
    country = ShortText(max_length=2)
    contact_name = ShortText(max_length=200)
    email = ShortText(max_length=254)
    website = ShortText(max_length=500, default="")
    registration_number = ShortText(max_length=60)
    purpose = TextField()
    language = ShortText(max_length=5)
    state = VocabularyWord(NonprofitState, default=NonprofitState.RECEIVED)
    reason = TextField(default="")
    created_at = UTCDateTimeField()
    decided_at = UTCDateTimeField(null=True)
    decided_by = ForeignKeyField(Person, null=True, on_delete="RESTRICT")

    class Meta:
        indexes = ((("state", "id"), False),)


class GatewayPace(Model):
    """When the next request to one endpoint of a gateway may leave: shared by all processes.

    `free_at` is a wall-clock instant in microseconds since 1970; `slow_until` follows a "too many requests".
    """

    name = ShortText(max_length=60, unique=True)
    free_at_us = WholeNumber(default=0)
    slow_until_us = WholeNumber(default=0)


class GatewayCursor(Model):
    """The last event of a gateway that was read and dealt with."""

    name = ShortText(max_length=20, unique=True)
    event_id = ShortText(max_length=200)


# --- effects and traces ---------------------------------------------------------------------------


class OutboxMessage(Model):
    """An effect promised by a committed transaction. `key` makes a promise unique within its topic.

    `held_at` is NULL but for those that wait together, since whoever keeps their topic is away.
    """

    topic = ShortText(max_length=60)
    key = ShortText(max_length=120)
    payload = JSONField()
    run_at = UTCDateTimeField()
    lease_until = UTCDateTimeField(null=True)
    attempts = WholeNumber(default=0)
    done_at = UTCDateTimeField(null=True)
    parked_at = UTCDateTimeField(null=True)
    last_error = TextField(default="")
    created_at = UTCDateTimeField()
    held_at = UTCDateTimeField(null=True)

    class Meta:
        indexes = ((("topic", "key"), True),)


OutboxMessage.add_index(
    OutboxMessage.index(
        OutboxMessage.run_at,
        name="outbox_message_due",
        where=OutboxMessage.done_at.is_null() & OutboxMessage.parked_at.is_null(),
    )
)
OutboxMessage.add_index(
    OutboxMessage.index(
        OutboxMessage.parked_at,
        name="outbox_message_parked",
        where=OutboxMessage.parked_at.is_null(False),
    )
)
OutboxMessage.add_index(
    OutboxMessage.index(
        OutboxMessage.held_at,
        name="outbox_message_held",
        where=OutboxMessage.held_at.is_null(False),
    )
)


class AuditEntry(Model):
    """Who did what to what, when; written in the same transaction, never changed.

    `digest` chains the entries of a workspace (or of no workspace). Name and address of the
    actor stand in AuditTrace, which can be erased without breaking the chain.
    """

    workspace = ForeignKeyField(Workspace, null=True, on_delete="RESTRICT")
    sequence = WholeNumber()
    at = UTCDateTimeField()
    action = ShortText(max_length=60)
    subject = ShortText(max_length=120)
    changes = JSONField()
    digest = ShortText(max_length=64)

    workspace_id: int | None

    class Meta:
        indexes = ((("workspace", "sequence"), True),)

    @classmethod
    def is_deletion(cls) -> SQL:
        """A workspace was deleted. A literal: with a parameter the index would not be found to be for it."""
        return SQL("\"action\" = 'workspace.deleted'")

    @classmethod
    def is_in_history(cls) -> SQL:
        """One of HistoryEvent; a literal, as `is_deletion`."""
        return SQL(f'"action" IN ({", ".join(f"{each.value!r}" for each in HistoryEvent)})')


AuditEntry.add_index(
    AuditEntry.index(AuditEntry.id, name="audit_entry_deletions", where=AuditEntry.is_deletion())
)
AuditEntry.add_index(
    AuditEntry.index(
        AuditEntry.workspace,
        AuditEntry.id,
        name="audit_entry_in_history",
        where=AuditEntry.is_in_history(),
    )
)


class AuditTrace(Model):
    """The personal part of an audit entry."""

    entry = ForeignKeyField(AuditEntry, unique=True, on_delete="RESTRICT")
    person = ForeignKeyField(Person, null=True, on_delete="SET NULL")
    actor = ShortText(max_length=254)
    ip_address = ShortText(max_length=45, default="")


class CspReport(Model):
    """How often browsers reported one violation of the content security policy."""

    directive = ShortText(max_length=100)
    blocked = ShortText(max_length=200)
    page = ShortText(max_length=200)
    reports = WholeNumber(default=1)
    last_seen_at = UTCDateTimeField()

    class Meta:
        indexes = ((("directive", "blocked", "page"), True),)


ALL_MODELS: tuple[type[Model], ...] = (
    Product,
    Plan,
    Price,
    VendorLink,
    Person,
    Workspace,
    Member,
    Contact,
    Session,
    CalendarAddress,
    UnsentForm,
    TrialTaken,
    LimitBucket,
    BillingDetails,
    VatCheck,
    PaymentMethod,
    MethodSetup,
    Subscription,
    Licence,
    LicenceKey,
    Order,
    OrderLine,
    CartLine,
    PurchaseRequest,
    PurchaseRequestLine,
    BoughtAlone,
    SubscriptionPeriod,
    Payment,
    Dispute,
    NumberSeries,
    Invoice,
    Link,
    Refund,
    CreditedLine,
    ExchangeRate,
    Document,
    BankStatement,
    BankTransfer,
    BankCsvMapping,
    BankCsvUpload,
    Credit,
    BalanceEntry,
    Allocation,
    Notice,
    MethodNotice,
    ChangeNotice,
    NonprofitRequest,
    GatewayPace,
    GatewayCursor,
    OutboxMessage,
    AuditEntry,
    AuditTrace,
    CspReport,
)


def table_names(models: Iterable[type[Model]] = ALL_MODELS) -> list[str]:
    return [model._meta.table_name for model in models]
