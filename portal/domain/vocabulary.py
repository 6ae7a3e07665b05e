"""The closed lists of words that the database stores and the pages show.

Each value is a word of docs/glossary.md; a CHECK constraint on the column repeats the list.
"""

from enum import StrEnum


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    BILLING_MANAGER = "billing_manager"
    MEMBER = "member"


class MemberStatus(StrEnum):
    ACTIVE = "active"
    GUEST = "guest"
    DISABLED = "disabled"


class WhoMayBuy(StrEnum):
    ANY_MEMBER = "any_member"
    BILLING = "billing"


class Interval(StrEnum):
    MONTH = "month"
    YEAR = "year"


class ProductKind(StrEnum):
    WORKSPACE_PLAN = "workspace_plan"
    LICENSED = "licensed"


class ChangePolicy(StrEnum):
    """What becomes of unused money when a plan changes: days of the new plan, or a deduction."""

    EXTEND = "extend"
    PRORATE = "prorate"


class RenewalDay(StrEnum):
    """Whether a paid change of a licensed product keeps the period, or begins a new one on its day."""

    KEEP = "keep"
    CHANGE = "change"


class PriceUnit(StrEnum):
    FLAT = "flat"
    LICENCE = "licence"


class Service(StrEnum):
    LDAP = "ldap"
    SSO = "sso"
    AUTOMATIC_BACKUP = "automatic_backup"
    CUSTOM_DNS = "custom_dns"
    EXTERNAL_SERVICES = "external_services"


class SubscriptionState(StrEnum):
    """Derived from dates by lifecycle.py, never stored.

    `cancelled` and `ended` are of licensed products alone: a workspace plan goes on, blocked, until it is
    paid or its workspace deleted.
    """

    TRIAL = "trial"
    FREE = "free"
    PAID = "paid"
    CANCELLED = "cancelled"
    LATE = "late"
    BLOCKED = "blocked"
    ENDED = "ended"


class OrderKind(StrEnum):
    """`renewal`: made and charged by the portal; all others are placed by a person."""

    BUY = "buy"
    PROLONG = "prolong"
    CHANGE = "change"
    RENEWAL = "renewal"


class OrderState(StrEnum):
    """`placed`: a payment was asked for and has no final answer yet. `invoiced`: its invoice is issued and
    not paid yet. `refunded`: paid once, and paid back. `withdrawn`: its invoice was credited whole before
    anything was given for it.
    """

    OPEN = "open"
    PLACED = "placed"
    INVOICED = "invoiced"
    PAID = "paid"
    REFUNDED = "refunded"
    WITHDRAWN = "withdrawn"


class OrderProgress(StrEnum):
    """How far an order has come, as its buyer sees it: derived by lifecycle.py, never stored.

    `not_finished`: nobody tried to pay, or whoever did left before it was confirmed. `not_paid`: nobody was
    asked for the money. `to_transfer`: its invoice is to be paid by bank transfer. `withdrawn`: that invoice
    was credited. `disputed`: it was paid, and the bank took the money back for its customer.
    """

    NOT_FINISHED = "not_finished"
    TO_CONFIRM = "to_confirm"
    BEING_CONFIRMED = "being_confirmed"
    NOT_CONFIRMED = "not_confirmed"
    DECLINED = "declined"
    NOT_PAID = "not_paid"
    TO_TRANSFER = "to_transfer"
    WITHDRAWN = "withdrawn"
    PAID = "paid"
    DISPUTED = "disputed"
    REFUNDED = "refunded"


class PaymentState(StrEnum):
    """`unknown`: we asked and cannot tell; only a look-up may move it on, never a new request."""

    CREATED = "created"
    ACTION_REQUIRED = "action_required"
    PENDING = "pending"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"


class RefundState(StrEnum):
    """`unknown`: we asked and cannot tell; asked again under the same key, which sends money back once."""

    CREATED = "created"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"


class SetupState(StrEnum):
    """`unknown`: we asked and cannot tell whether the method is saved; only a look-up may move it on."""

    CREATED = "created"
    ACTION_REQUIRED = "action_required"
    UNKNOWN = "unknown"
    DONE = "done"
    DECLINED = "declined"


class NoticeKind(StrEnum):
    """What is said once about one due date (domain/timeline.py)."""

    TRIAL_ENDING = "trial_ending"
    TRIAL_LAST_DAY = "trial_last_day"
    TRIAL_OVER = "trial_over"
    PRICE_RISE = "price_rise"
    RENEWAL_AHEAD = "renewal_ahead"
    DUE_SOON = "due_soon"
    LATE = "late"
    BLOCKED = "blocked"
    DELETION_AHEAD = "deletion_ahead"


class MethodNoticeKind(StrEnum):
    """What is said once about the last day of a payment method (domain/expiry.py)."""

    EXPIRES_IN_A_MONTH = "expires_in_a_month"
    EXPIRES_IN_A_WEEK = "expires_in_a_week"


class NonprofitState(StrEnum):
    RECEIVED = "received"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class RequestState(StrEnum):
    """Of a purchase request. Past its end an open one is expired already, before the run has written it."""

    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class PaymentMethodKind(StrEnum):
    CARD = "card"
    PAYPAL = "paypal"
    SEPA_DEBIT = "sepa_debit"
    BANK_TRANSFER = "bank_transfer"


class PaidWith(StrEnum):
    """How an order was paid: with a kind of payment method, or from the balance alone."""

    CARD = "card"
    PAYPAL = "paypal"
    SEPA_DEBIT = "sepa_debit"
    BANK_TRANSFER = "bank_transfer"
    BALANCE = "balance"


class DocumentKind(StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class InvoiceStatus(StrEnum):
    """How much of an invoice is covered: derived by ledger.py from its allocations, never stored."""

    OPEN = "open"
    PART_PAID = "part_paid"
    PAID = "paid"


class BalanceEntryKind(StrEnum):
    """What moved the balance of a workspace: each is the word of its cause.

    `credit`: money that an operator gave; `withdrawal`: what was taken back of one, as far as it was unused.
    `transfer_return`: the bank took a transfer back, or an operator undid its match.
    """

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"
    REFUND = "refund"
    CREDIT = "credit"
    WITHDRAWAL = "withdrawal"
    TRANSFER = "transfer"
    TRANSFER_RETURN = "transfer_return"


class BankFileKind(StrEnum):
    """What a file of the bank is: the statement of a day, a notification of what moved, or a table."""

    CAMT_053 = "camt_053"
    CAMT_054 = "camt_054"
    CSV = "csv"


class TransferState(StrEnum):
    """What became of a line of a bank statement.

    `received`: kept, and not looked at yet. `matched`: it is in the ledger. `to_confirm` and `parked` wait
    for an operator, with and without a proposal. `returned`: the bank took it back. `ignored`: none of ours.
    """

    RECEIVED = "received"
    MATCHED = "matched"
    TO_CONFIRM = "to_confirm"
    PARKED = "parked"
    RETURNED = "returned"
    IGNORED = "ignored"


class TransferReason(StrEnum):
    """Why a transfer is in its state. `none` while nobody has looked."""

    NONE = "none"
    REFERENCE = "reference"
    CUT_REFERENCE = "cut_reference"
    NUMBERS = "numbers"
    INVOICE_NUMBER = "invoice_number"
    CUSTOMER_AND_AMOUNT = "customer_and_amount"
    ACCOUNT_AND_AMOUNT = "account_and_amount"
    OPERATOR = "operator"
    UNKNOWN = "unknown"
    WRONG_CURRENCY = "wrong_currency"
    SEVERAL_WORKSPACES = "several_workspaces"
    WORKSPACE_DELETED = "workspace_deleted"
    MAYBE_KNOWN = "maybe_known"
    BATCH = "batch"
    SENT_BACK_TO_US = "sent_back_to_us"
    TAKES_BACK = "takes_back"
    TAKES_BACK_UNKNOWN = "takes_back_unknown"
    DEBIT = "debit"
    NOTHING = "nothing"
    DETAILED = "detailed"
    NOT_OURS = "not_ours"


class HistoryEvent(StrEnum):
    """Acts of the audit log that the history of a workspace shows beside its money: those about a plan first.

    An index of the log is for these alone: a new one needs a migration.
    """

    PLAN_BEGUN = "plan.begun"
    PLAN_SCHEDULED = "plan.scheduled"
    PLAN_SCHEDULE_WITHDRAWN = "plan.schedule_withdrawn"
    FREE_PLAN_BEGUN = "plan.free_begun"
    TRIAL_STARTED = "trial.started"
    TRIAL_EXTENDED = "trial.extended"
    CANCELLED = "subscription.cancelled"
    CANCELLATION_TAKEN_BACK = "subscription.cancellation_taken_back"
    AUTO_RENEWAL_ON = "auto_renewal.on"
    AUTO_RENEWAL_OFF = "auto_renewal.off"
    NONPROFIT_ACCEPTED = "nonprofit.accepted"
    MEMBER_INVITED = "member.invited"
    MEMBER_JOINED = "member.joined"
    MEMBER_ENABLED = "member.enabled"
    MEMBER_DISABLED = "member.disabled"
    MEMBER_MADE_GUEST = "member.made_guest"
    MEMBER_MADE_USER = "member.made_user"
    MEMBER_REMOVED = "member.removed"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    LICENCE_ASSIGNED = "licence.assigned"
    LICENCE_TAKEN_BACK = "licence.taken_back"


class HistoryKind(StrEnum):
    """What of its history somebody wants to see. `charges` are invoices and what was paid for them."""

    CHARGES = "charges"
    CREDITS = "credits"
    PLANS = "plans"
    MEMBERS = "members"


class VatStatus(StrEnum):
    """`unchecked`: format and check digit are right, the official register has not answered yet."""

    NONE = "none"
    UNCHECKED = "unchecked"
    VALID = "valid"
    INVALID = "invalid"


class TaxCategory(StrEnum):
    """UNCL 5305 codes, as EN 16931 uses them."""

    STANDARD = "S"
    REVERSE_CHARGE = "AE"
    OUTSIDE_SCOPE = "O"


class NoEInvoice(StrEnum):
    """Why a document has no XML: it was issued before there were any, no exchange rate was known, or its
    currency has more decimals than EN 16931 can say.
    """

    ISSUED_BEFORE = "issued_before"
    NO_EXCHANGE_RATE = "no_exchange_rate"
    TOO_MANY_DECIMALS = "too_many_decimals"


class TaxReason(StrEnum):
    SELLER_COUNTRY = "seller_country"
    EU_CONSUMER = "eu_consumer"
    EU_BUSINESS_REVERSE_CHARGE = "eu_business_reverse_charge"
    OUTSIDE_EU = "outside_eu"
    SPECIAL_TERRITORY = "special_territory"


class LinkPurpose(StrEnum):
    MAGIC = "magic"
    RESET = "reset"
    INVITATION = "invitation"
    NEW_EMAIL = "new_email"
    UNDO_EMAIL = "undo_email"
    CONTACT = "contact"
    PAY = "pay"


class ChangeNotices(StrEnum):
    """How often change notices are mailed: for each change, at most once a day, or once a month."""

    EACH = "each"
    MONTHLY = "monthly"


class SessionBinding(StrEnum):
    """From where a session may be used, the loosest first."""

    OFF = "off"
    NETWORK = "network"
    STRICT = "strict"


class Right(StrEnum):
    """A row of the rights table of product.md §2 (or part of one)."""

    SEE_PLANS = "see_plans"
    ASK = "ask"
    BUY = "buy"
    APPROVE = "approve"
    AUTO_RENEWAL = "auto_renewal"
    REFUND = "refund"
    USE_SAVED_METHODS = "use_saved_methods"
    MANAGE_PAYMENT_METHODS = "manage_payment_methods"
    SEE_HISTORY = "see_history"
    SEE_BILLING_DETAILS = "see_billing_details"
    DOWNLOAD_DOCUMENTS = "download_documents"
    BILLING_SETTINGS = "billing_settings"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_WORKSPACE = "manage_workspace"
    DELETE_WORKSPACE = "delete_workspace"


class DeclineCode(StrEnum):
    """Why money did not move, in our words; the sentences are in words/declines.py.

    `never_made`: the gateway never heard of it, which is our trouble and not the payer's.
    """

    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    MANDATE_EXPIRED = "mandate_expired"
    INVALID_SECURITY_CODE = "invalid_security_code"
    AUTHENTICATION_FAILED = "authentication_failed"
    REFUSED_BY_PAYER = "refused_by_payer"
    CARD_NOT_ACCEPTED = "card_not_accepted"
    ACCOUNT_NOT_ACCEPTED = "account_not_accepted"
    METHOD_GONE = "method_gone"
    UNSUPPORTED_CURRENCY = "unsupported_currency"
    WITHDRAWN = "withdrawn"
    NEVER_MADE = "never_made"


class CardBrand(StrEnum):
    VISA = "visa"
    MASTERCARD = "mastercard"
    AMEX = "amex"
    JCB = "jcb"
    DISCOVER = "discover"
