"""Who may open what: every address of the site, for everybody, as the table below says and not otherwise."""

import hashlib
import json
import re
from itertools import product

import pytest
from flask import template_rendered
from werkzeug.routing import BaseConverter, UnicodeConverter

from portal.domain.choices import Choice
from portal.domain.money import Money
from portal.domain.vocabulary import Interval, MemberStatus, Role, WhoMayBuy
from portal.models import (
    ALL_MODELS,
    BankTransfer,
    Document,
    Invoice,
    Licence,
    LimitBucket,
    Member,
    Order,
    Payment,
    Person,
    Product,
    Session,
    Subscription,
    Workspace,
)
from portal.runtime import current
from portal.services.payments import bank_statements, given_credits, method_setups
from portal.services.subscriptions import cancellation
from tests import licensed, paying
from tests.asking import a_request
from tests.attackers import PART, Attacker, an_order_of, bought, the_people
from tests.books import assert_books_clean
from tests.factories import a_contact, a_nonprofit_request, owner_of, seen_by
from tests.matrix import share
from tests.transferring import Line, bring, camt
from tests.visiting import facts

pytestmark = pytest.mark.engine("sqlite")

ACCESS = re.compile(r"public|session|token|signature|role:[a-z_]+")
WAY_IN = re.compile(r"/sign-in($|\?next=)")
ROLES = (
    "visitor",
    "owner",
    "manager",
    "upgrader",
    "admin",
    "member",
    "guest",
    "disabled",
    "invited",
    "stranger",
    "operator",
)
# What each of them gets, in that order. `in` sends to the sign-in page and back after.
# A form that is sent is empty or changes nothing: who may send it is refused in words (422) or led on (303).
# `order` is the owner's, with its details; `invoice` has a PDF; `owner` is the owner's membership.
NOBODY = "404 404 404 404 404 404 404 404 404 404 404"
EVERYBODY = "200 200 200 200 200 200 200 200 200 200 200"
ONLY_VISITORS_READ = "200 303 303 303 303 303 303 303 303 303 303"
ONLY_VISITORS_SEND = "422 303 303 303 303 303 303 303 303 303 303"
ANYBODY_SENDS = "422 422 422 422 422 422 422 422 422 422 422"
OWN = "in 200 200 200 200 200 200 200 200 200 200"
OWN_SENT = "in 422 422 422 422 422 422 422 422 422 422"
KEYS_READ = "in 200 403 403 200 403 403 404 404 404 404"
KEYS_CHANGED = "in 409 403 403 409 403 403 404 404 404 404"
STAFF = "in 404 404 404 404 404 404 404 404 404 200"
TABLE = {
    ("GET", "/"): "200 303 303 303 303 303 303 200 200 303 303",
    ("GET", "/pricing"): EVERYBODY,
    ("GET", "/faq"): EVERYBODY,
    ("GET", "/check"): EVERYBODY,
    ("GET", "/nonprofit"): EVERYBODY,
    ("POST", "/nonprofit"): ANYBODY_SENDS,
    ("GET", "/nonprofit/sent"): EVERYBODY,
    ("GET", "/terms"): EVERYBODY,
    ("GET", "/privacy"): EVERYBODY,
    ("GET", "/security"): EVERYBODY,
    ("GET", "/links/help"): "303 303 303 303 303 303 303 303 303 303 303",
    ("GET", "/calendar/token.ics"): NOBODY,
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/robots.txt"): EVERYBODY,
    ("GET", "/favicon.ico"): "204 204 204 204 204 204 204 204 204 204 204",
    ("GET", "/static/portal.css"): EVERYBODY,
    ("POST", "/csp-report"): "400 400 400 400 400 400 400 400 400 400 400",
    # The way in.
    ("GET", "/sign-up"): ONLY_VISITORS_READ,
    ("POST", "/sign-up"): ONLY_VISITORS_SEND,
    ("GET", "/sign-up/sent"): EVERYBODY,
    ("GET", "/sign-in"): ONLY_VISITORS_READ,
    ("POST", "/sign-in"): ONLY_VISITORS_SEND,
    ("GET", "/sign-in/sent"): EVERYBODY,
    ("GET", "/sign-in/link"): EVERYBODY,
    ("POST", "/sign-in/link"): ANYBODY_SENDS,
    ("GET", "/sign-in/link/token"): NOBODY,
    ("POST", "/sign-in/link/token"): NOBODY,
    ("GET", "/reset"): EVERYBODY,
    ("POST", "/reset"): ANYBODY_SENDS,
    ("GET", "/reset/token"): NOBODY,
    ("POST", "/reset/token"): NOBODY,
    ("GET", "/invitation/token"): NOBODY,
    ("POST", "/invitation/token"): NOBODY,
    # One's own.
    ("GET", "/me"): OWN,
    ("POST", "/me"): OWN_SENT,
    ("GET", "/me/password"): OWN,
    ("POST", "/me/password"): OWN_SENT,
    ("GET", "/me/orders"): OWN,
    ("GET", "/me/email"): OWN,
    ("POST", "/me/email"): OWN_SENT,
    ("GET", "/email/new/token"): NOBODY,
    ("POST", "/email/new/token"): NOBODY,
    ("GET", "/email/undo/token"): NOBODY,
    ("POST", "/email/undo/token"): NOBODY,
    ("GET", "/contact/token"): NOBODY,
    ("POST", "/contact/token"): NOBODY,
    ("GET", "/contact-confirmed"): EVERYBODY,
    ("GET", "/pay/token"): NOBODY,
    ("POST", "/pay/token"): NOBODY,
    ("POST", "/pay/token/leave"): NOBODY,
    ("GET", "/pay/token.pdf"): NOBODY,
    ("GET", "/pay/token.xml"): NOBODY,
    ("GET", "/me/workspaces/new"): OWN,
    ("POST", "/me/workspaces/new"): OWN_SENT,
    ("POST", "/me/buy-dialog"): "in 204 204 204 204 204 204 204 204 204 204",
    ("POST", "/me/sessions/end"): "in 303 303 303 303 303 303 303 303 303 303",
    ("POST", "/me/sessions/999/end"): "in 404 404 404 404 404 404 404 404 404 404",
    # A workspace.
    # A guest finds there that they are one.
    ("GET", "/w/acme/"): "in 303 303 303 303 303 200 404 404 404 404",
    ("GET", "/w/acme/billing"): "in 200 200 200 200 200 403 404 404 404 404",
    ("POST", "/w/acme/billing/calendar"): "in 200 200 200 200 200 403 404 404 404 404",
    ("POST", "/w/acme/billing/calendar/revoke"): "in 303 303 303 303 303 403 404 404 404 404",
    ("GET", "/w/acme/plans"): "in 200 200 200 200 200 403 404 404 404 404",
    ("POST", "/w/acme/plans"): "in 422 422 422 422 422 403 404 404 404 404",
    ("GET", "/w/acme/plans/scheduled"): "in 303 303 303 303 303 403 404 404 404 404",
    ("POST", "/w/acme/plans/scheduled"): "in 422 422 422 422 422 403 404 404 404 404",
    ("POST", "/w/acme/plans/scheduled/withdraw"): "in 303 303 303 303 303 403 404 404 404 404",
    ("GET", "/w/acme/plans/free"): "in 200 200 200 200 200 403 404 404 404 404",
    ("POST", "/w/acme/plans/free"): "in 422 422 422 422 422 403 404 404 404 404",
    ("GET", "/w/acme/subscriptions"): "in 200 200 200 200 200 403 404 404 404 404",
    ("GET", "/w/acme/subscriptions/new"): "in 200 200 200 200 200 403 404 404 404 404",
    ("POST", "/w/acme/subscriptions/new"): "in 422 422 422 422 422 403 404 404 404 404",
    ("GET", "/w/acme/auto-renewal"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/auto-renewal/on"): "in 409 409 409 403 403 403 404 404 404 404",
    ("POST", "/w/acme/auto-renewal/method"): "in 422 422 422 403 403 403 404 404 404 404",
    ("POST", "/w/acme/auto-renewal/off"): "in 303 303 303 403 403 403 404 404 404 404",
    # Acme subscribes to Webinar, and has cancelled Training.
    ("GET", "/w/acme/subscriptions/trial/meetings"): "in 200 200 200 200 200 403 404 404 404 404",
    ("POST", "/w/acme/subscriptions/trial/meetings"): "in 422 422 422 422 422 403 404 404 404 404",
    ("GET", "/w/acme/subscriptions/webinar/cancel"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/subscriptions/webinar/cancel"): "in 409 409 409 403 403 403 404 404 404 404",
    ("GET", "/w/acme/subscriptions/webinar/change"): "in 200 200 200 200 200 403 404 404 404 404",
    ("POST", "/w/acme/subscriptions/webinar/change"): "in 422 422 422 422 422 403 404 404 404 404",
    ("POST", "/w/acme/subscriptions/webinar/change/withdraw"): "in 303 303 303 303 303 403 404 404 404 404",
    # The first of them takes it back.
    ("GET", "/w/acme/subscriptions/webinar/auto-renewal"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/subscriptions/webinar/auto-renewal/on"): "in 409 409 409 403 403 403 404 404 404 404",
    ("POST", "/w/acme/subscriptions/webinar/auto-renewal/method"): (
        "in 422 422 422 403 403 403 404 404 404 404"
    ),
    ("POST", "/w/acme/subscriptions/webinar/auto-renewal/off"): "in 303 303 303 403 403 403 404 404 404 404",
    ("POST", "/w/acme/subscriptions/webinar/amount-due"): "in 303 303 303 403 403 403 404 404 404 404",
    ("POST", "/w/acme/subscriptions/webinar/amount-due/another-card"): (
        "in 303 303 303 403 403 403 404 404 404 404"
    ),
    ("POST", "/w/acme/subscriptions/webinar/amount-due/order"): "in 303 303 303 303 303 403 404 404 404 404",
    ("GET", "/w/acme/subscriptions/training/take-back"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/subscriptions/training/take-back"): "in 303 303 303 403 403 403 404 404 404 404",
    ("GET", "/w/acme/checkout/{order}"): "in 200 200 200 200 404 403 404 404 404 404",
    ("POST", "/w/acme/checkout/{order}"): "in 422 422 422 422 404 403 404 404 404 404",
    ("GET", "/w/acme/checkout/{order}/review"): "in 200 200 200 200 404 403 404 404 404 404",
    ("POST", "/w/acme/checkout/{order}/review"): "in 422 422 422 422 404 403 404 404 404 404",
    ("GET", "/w/acme/checkout/{order}/result"): "in 303 303 303 303 404 403 404 404 404 404",
    ("POST", "/w/acme/checkout/{order}/leave"): "in 303 303 303 303 404 403 404 404 404 404",
    ("POST", "/w/acme/checkout/amount-due"): "in 303 303 303 403 403 403 404 404 404 404",
    ("POST", "/w/acme/checkout/amount-due/another-card"): "in 303 303 303 403 403 403 404 404 404 404",
    ("GET", "/w/acme/cart"): "in 200 200 200 200 200 403 404 404 404 404",
    # An empty cart is not ordered, and is led on where something was to be removed from it.
    ("POST", "/w/acme/cart"): "in 409 409 409 409 409 403 404 404 404 404",
    ("POST", "/w/acme/cart/meetings"): "in 422 422 422 422 422 403 404 404 404 404",
    ("POST", "/w/acme/cart/meetings/remove"): "in 303 303 303 303 303 403 404 404 404 404",
    # An empty cart is not asked for. The request is the member's; the owner opens it as an order.
    ("GET", "/w/acme/requests"): "in 200 200 200 200 200 403 404 404 404 404",
    ("POST", "/w/acme/requests"): "in 409 409 409 409 409 403 404 404 404 404",
    ("POST", "/w/acme/requests/orders/{order}"): "in 303 303 303 303 404 403 404 404 404 404",
    ("GET", "/w/acme/requests/{request}"): "in 200 200 200 200 200 403 404 404 404 404",
    ("POST", "/w/acme/requests/{request}/approve"): "in 303 303 303 303 409 403 404 404 404 404",
    # The first of them declines it.
    ("POST", "/w/acme/requests/{request}/decline"): "in 303 409 409 409 409 403 404 404 404 404",
    ("POST", "/w/acme/requests/{request}/withdraw"): "in 403 403 403 403 409 403 404 404 404 404",
    ("GET", "/w/acme/payment-methods"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/payment-methods"): "in 422 422 422 403 403 403 404 404 404 404",
    ("GET", "/w/acme/payment-methods/new"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/payment-methods/new"): "in 422 422 422 403 403 403 404 404 404 404",
    ("GET", "/w/acme/payment-methods/setups/{setup}"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/payment-methods/{method}/use"): "in 303 303 303 403 403 403 404 404 404 404",
    ("POST", "/w/acme/payment-methods/{method}/move"): "in 400 400 400 403 403 403 404 404 404 404",
    ("GET", "/w/acme/payment-methods/{method}/remove"): "in 200 200 200 403 403 403 404 404 404 404",
    # The first of them removes it.
    ("POST", "/w/acme/payment-methods/{method}/remove"): "in 303 404 404 403 403 403 404 404 404 404",
    ("GET", "/w/acme/billing-settings"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/billing-settings"): "in 422 422 422 403 403 403 404 404 404 404",
    ("GET", "/w/acme/contacts"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/contacts"): "in 422 422 422 403 403 403 404 404 404 404",
    ("POST", "/w/acme/contacts/{contact}/link"): "in 303 303 303 403 403 403 404 404 404 404",
    # Who may see the contacts and the members.
    ("GET", "/w/acme/contacts/{contact}/invite"): "in 200 403 403 403 403 403 404 404 404 404",
    ("POST", "/w/acme/contacts/{contact}/invite"): "in 303 403 403 403 403 403 404 404 404 404",
    ("GET", "/w/acme/contacts/{contact}/remove"): "in 200 200 200 403 403 403 404 404 404 404",
    # The first of them removes it.
    ("POST", "/w/acme/contacts/{contact}/remove"): "in 303 404 404 403 403 403 404 404 404 404",
    ("GET", "/w/acme/history"): "in 200 200 200 200 200 403 404 404 404 404",
    ("GET", "/w/acme/history/statement"): "in 200 200 200 200 200 403 404 404 404 404",
    ("GET", "/w/acme/history/spending"): "in 200 200 200 200 200 403 404 404 404 404",
    ("GET", "/w/acme/history/download"): "in 200 200 200 200 403 403 404 404 404 404",
    ("POST", "/w/acme/history/download"): "in 404 404 404 404 403 403 404 404 404 404",
    ("GET", "/w/acme/history/download/2026.csv"): "in 200 200 200 200 403 403 404 404 404 404",
    ("GET", "/w/acme/history/download/2026.zip"): "in 200 200 200 200 403 403 404 404 404 404",
    ("GET", "/w/acme/invoices/{invoice}"): "in 200 200 200 200 200 403 404 404 404 404",
    ("GET", "/w/acme/invoices/to-pay"): "in 303 303 303 303 303 403 404 404 404 404",
    ("GET", "/w/acme/invoices/{invoice}/pay"): "in 303 303 303 303 403 403 404 404 404 404",
    ("POST", "/w/acme/invoices/{invoice}/pay"): "in 303 303 303 303 403 403 404 404 404 404",
    ("POST", "/w/acme/invoices/{invoice}/pay-link"): "in 303 303 303 403 403 403 404 404 404 404",
    ("POST", "/w/acme/invoices/{invoice}/pay-link/withdraw"): "in 303 303 303 403 403 403 404 404 404 404",
    ("GET", "/w/acme/invoices/{invoice}/correction"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/invoices/{invoice}/correction"): "in 409 409 409 403 403 403 404 404 404 404",
    ("GET", "/w/acme/invoices/{invoice}.xml"): "in 200 200 200 200 403 403 404 404 404 404",
    ("GET", "/w/acme/invoices/{invoice}.pdf"): "in 200 200 200 200 403 403 404 404 404 404",
    ("GET", "/w/acme/history/refunds/{payment}"): "in 200 200 200 403 403 403 404 404 404 404",
    ("POST", "/w/acme/history/refunds/{payment}"): "in 409 409 409 403 403 403 404 404 404 404",
    ("GET", "/w/acme/members"): "in 200 403 403 200 403 403 404 404 404 404",
    ("POST", "/w/acme/members"): "in 422 403 403 422 403 403 404 404 404 404",
    ("GET", "/w/acme/members/{owner}/disable"): "in 200 403 403 200 403 403 404 404 404 404",
    ("POST", "/w/acme/members/{owner}/disable"): "in 422 403 403 422 403 403 404 404 404 404",
    ("POST", "/w/acme/members/{owner}/enable"): "in 303 403 403 303 403 403 404 404 404 404",
    ("POST", "/w/acme/members/{owner}/invite"): "in 303 403 403 303 403 403 404 404 404 404",
    ("POST", "/w/acme/members/users"): "in 303 403 403 303 403 403 404 404 404 404",
    ("GET", "/w/acme/members/{owner}"): "in 200 403 403 200 403 403 404 404 404 404",
    ("POST", "/w/acme/members/{owner}"): "in 303 403 403 422 403 403 404 404 404 404",
    ("GET", "/w/acme/members/{owner}/guest"): "in 200 403 403 200 403 403 404 404 404 404",
    ("POST", "/w/acme/members/{owner}/guest"): "in 422 403 403 422 403 403 404 404 404 404",
    ("GET", "/w/acme/members/{owner}/remove"): "in 200 403 403 200 403 403 404 404 404 404",
    ("POST", "/w/acme/members/{owner}/remove"): "in 422 403 403 422 403 403 404 404 404 404",
    ("GET", "/w/acme/members/{owner}/hand-over"): "in 200 403 403 403 403 403 404 404 404 404",
    ("POST", "/w/acme/members/{owner}/hand-over"): "in 422 403 403 403 403 403 404 404 404 404",
    ("GET", "/w/acme/members/{owner}/billing-access"): "in 200 403 403 403 403 403 404 404 404 404",
    ("POST", "/w/acme/members/{owner}/billing-access"): "in 303 403 403 403 403 403 404 404 404 404",
    ("GET", "/w/acme/licences"): "in 200 200 200 200 200 200 404 404 404 404",
    ("POST", "/w/acme/licences/webinar/assign"): "in 422 403 403 422 403 403 404 404 404 404",
    ("POST", "/w/acme/licences/webinar/take-back"): "in 422 403 403 422 403 403 404 404 404 404",
    ("GET", "/w/acme/licences/webinar/{owner}/reassign"): "in 200 403 403 200 403 403 404 404 404 404",
    ("POST", "/w/acme/licences/webinar/{owner}/reassign"): "in 422 403 403 422 403 403 404 404 404 404",
    ("GET", "/w/acme/services"): "in 200 403 403 200 403 403 404 404 404 404",
    ("POST", "/w/acme/services"): "in 303 403 403 303 403 403 404 404 404 404",
    ("GET", "/w/acme/settings"): "in 200 403 403 403 403 403 404 404 404 404",
    ("POST", "/w/acme/settings"): "in 422 403 403 403 403 403 404 404 404 404",
    ("GET", "/w/acme/settings/delete"): "in 200 403 403 403 403 403 404 404 404 404",
    ("POST", "/w/acme/settings/delete"): "in 422 403 403 403 403 403 404 404 404 404",
    ("GET", "/w/acme/settings/export"): "in 200 403 403 403 403 403 404 404 404 404",
    # The vendor's staff; for everybody else there is nothing.
    ("GET", "/operator/"): STAFF,
    ("GET", "/operator/workspaces/acme"): STAFF,
    ("POST", "/operator/workspaces/acme"): STAFF.replace("200", "422"),
    ("POST", "/operator/workspaces/acme/corporate"): STAFF.replace("200", "303"),
    ("POST", "/operator/workspaces/acme/trial"): STAFF.replace("200", "422"),
    ("POST", "/operator/workspaces/acme/payments/{payment}/look-up"): STAFF.replace("200", "303"),
    ("GET", "/operator/workspaces/acme/payments/{payment}/refund"): STAFF,
    ("POST", "/operator/workspaces/acme/payments/{payment}/refund"): STAFF.replace("200", "404"),
    ("GET", "/operator/workspaces/acme/credits"): STAFF,
    ("POST", "/operator/workspaces/acme/credits"): STAFF.replace("200", "422"),
    ("GET", "/operator/workspaces/acme/credits/review"): STAFF.replace("200", "303"),
    ("POST", "/operator/workspaces/acme/credits/review"): STAFF.replace("200", "422"),
    ("GET", "/operator/workspaces/acme/credits/{credit}/take-back"): STAFF,
    ("POST", "/operator/workspaces/acme/credits/{credit}/take-back"): STAFF.replace("200", "422"),
    ("POST", "/operator/workspaces/acme/transfers"): STAFF.replace("200", "422"),
    ("GET", "/operator/workspaces/acme/pay-links"): STAFF,
    ("POST", "/operator/workspaces/acme/pay-links/{invoice}/withdraw"): STAFF.replace("200", "303"),
    ("GET", "/operator/bank-transfers"): STAFF,
    ("GET", "/operator/bank-transfers/{transfer}"): STAFF,
    ("POST", "/operator/bank-transfers/{transfer}/match"): STAFF.replace("200", "409"),
    # Nothing is proposed for it.
    ("POST", "/operator/bank-transfers/{transfer}/decline"): STAFF.replace("200", "409"),
    ("POST", "/operator/bank-transfers/{transfer}/set-aside"): STAFF.replace("200", "422"),
    ("POST", "/operator/bank-transfers/{transfer}/take-back"): STAFF.replace("200", "422"),
    # Nobody has it.
    ("GET", "/operator/bank-transfers/{transfer}/undo"): STAFF.replace("200", "409"),
    ("POST", "/operator/bank-transfers/{transfer}/undo"): STAFF.replace("200", "409"),
    ("GET", "/operator/bank-statements"): STAFF,
    ("POST", "/operator/bank-statements"): STAFF.replace("200", "422"),
    ("GET", "/operator/bank-statements/{statement}"): STAFF,
    ("GET", "/operator/bank-statements/csv/{upload}"): STAFF,
    ("POST", "/operator/bank-statements/csv/{upload}"): STAFF.replace("200", "422"),
    ("POST", "/operator/bank-statements/csv/{upload}/discard"): STAFF.replace("200", "303"),
    ("GET", "/operator/exchange-rates"): STAFF,
    ("POST", "/operator/exchange-rates"): STAFF.replace("200", "422"),
    ("GET", "/operator/deletions"): STAFF,
    ("GET", "/operator/messages"): STAFF,
    ("POST", "/operator/messages"): STAFF.replace("200", "303"),
    ("GET", "/operator/nonprofit"): STAFF,
    ("GET", "/operator/nonprofit/{nonprofit}"): STAFF,
    ("POST", "/operator/nonprofit/{nonprofit}/accept"): STAFF.replace("200", "422"),
    ("POST", "/operator/nonprofit/{nonprofit}/refuse"): STAFF.replace("200", "422"),
    # Acme has Remote, whose key those may see who assign licences.
    ("GET", "/w/acme/subscriptions/remote/licence-key"): KEYS_READ,
    ("POST", "/w/acme/subscriptions/remote/licence-key"): "in 303 403 403 303 403 403 404 404 404 404",
    ("GET", "/w/acme/subscriptions/remote/licence-key/replace"): KEYS_READ,
    ("POST", "/w/acme/subscriptions/remote/licence-key/replace"): KEYS_CHANGED,
    ("GET", "/sandbox/licence-key"): EVERYBODY,
    ("POST", "/sandbox/licence-key"): ANYBODY_SENDS,
    # The sandbox's own pages: whoever knows the reference has come from the checkout.
    ("GET", "/sandbox/"): EVERYBODY,
    ("GET", "/sandbox/components"): EVERYBODY,
    ("POST", "/sandbox/components"): EVERYBODY,
    ("GET", "/sandbox/3ds/{challenge}"): EVERYBODY,
    ("POST", "/sandbox/3ds/{challenge}"): "400 400 400 400 400 400 400 400 400 400 400",
    ("GET", "/sandbox/paypal/reference"): NOBODY,
    ("POST", "/sandbox/paypal/reference"): "400 400 400 400 400 400 400 400 400 400 400",
    ("GET", "/sandbox/mailbox"): EVERYBODY,
    ("GET", "/sandbox/mailbox/letter.eml"): NOBODY,
    ("GET", "/sandbox/mailbox/letter.eml/html"): NOBODY,
    ("GET", "/sandbox/mailbox/letter.eml/0"): NOBODY,
    # Last, since it ends the session.
    ("POST", "/sign-out"): "303 303 303 303 303 303 303 303 303 303 303",
}


@pytest.fixture
def names(app) -> dict[str, str]:
    """What stands in braces in the table, and a browser for each role."""
    with facts(app):
        everybody = the_people()
        acme = Workspace.get(Workspace.slug == "acme")
        payment = bought(acme)
        order = an_order_of(everybody["owner"], acme)
        invoice = Invoice.get(Invoice.workspace == acme)
        subscribed(acme)
        for each in Invoice.select().where(Invoice.workspace == acme):
            for locale in (*current().settings.locales, Document.E_INVOICE):
                Document.create(
                    invoice=each,
                    locale=locale,
                    content=b"%PDF",
                    sha256=hashlib.sha256(b"%PDF").hexdigest(),
                    created_at=current().clock.wall(),
                )
        setup = method_setups.begin_adding(
            seen_by(owner_of(acme), acme), paying.a_card(), result_address=str, now=current().clock.now()
        )
        an_assigned_licence(acme)
        contact = a_contact(acme, "books@accountant.test")
        statement = bring(camt(Line(700, texts=["?"]))).statements[0]
        upload = bank_statements.take_file(
            b"Date,Amount,Text\n2026-11-20,7.00,?\n", file_name="b.csv", now=current().clock.now()
        )
        asked = a_request(seen_by(everybody["member"], acme), Choice("meetings-essential", Interval.MONTH, 3))
        zenith = Workspace.get(Workspace.slug == "zenith")
        waiting = paying.pay(an_order_of(everybody["stranger"], zenith), paying.ASKS_ONCE)
        return {
            "order": order.number,
            "request": asked.number,
            "invoice": invoice.number,
            "owner": str(Member.get(Member.workspace == acme, Member.person == owner_of(acme)).id),
            "payment": payment.key,
            "nonprofit": str(a_nonprofit_request().id),
            "challenge": waiting.action_url.rpartition("/")[2],
            "method": str(setup.method_id),
            "setup": setup.key,
            "contact": str(contact.id),
            "statement": str(statement.id),
            "transfer": str(BankTransfer.get().id),
            "upload": str(upload.id),
            "credit": given_credits.give(
                acme, amount=Money(500, "USD"), reason="An outage", key="credit", now=current().clock.now()
            ).key,
        }


def subscribed(workspace: Workspace) -> None:
    """To Webinar and Remote, and to Training until its end."""
    place = seen_by(owner_of(workspace), workspace)
    licensed.bought(place, "webinar-standard")
    licensed.bought(place, "remote-licence", interval=Interval.YEAR)
    training = licensed.bought(place, "training-standard")
    now = current().clock.now()
    cancellation.cancel(training, shown_ends_on=training.due_on.isoformat(), now=now)


def an_assigned_licence(workspace: Workspace) -> None:
    """The owner's, of Webinar."""
    place = seen_by(owner_of(workspace), workspace)
    webinar = Product.get(Product.code == "webinar")
    subscription = Subscription.get(Subscription.workspace == workspace, Subscription.product == webinar)
    Licence.create(subscription=subscription, member=place.member, assigned_at=current().clock.now())


@pytest.fixture
def browsers(app, names) -> dict[str, Attacker]:
    with facts(app):
        everybody = {person.email.partition("@")[0]: person for person in Person.select()}
        everybody |= {"stranger": everybody["owner"], "operator": everybody["staff"]}
        everybody["owner"] = owner_of(Workspace.get(Workspace.slug == "acme"))
        everybody["stranger"] = owner_of(Workspace.get(Workspace.slug == "zenith"))
        return {role: Attacker(app, everybody.get(role)) for role in ROLES}


def cells():
    for (method, path), row in TABLE.items():
        for role, expected in zip(ROLES, row.split(), strict=True):
            yield method, path, role, expected


def verdict(response) -> str:
    """The status, or `in` for the way to the sign-in page."""
    address = response.headers.get("HX-Redirect") or response.headers.get("Location") or ""
    is_way_in = response.status_code in (303, 401) and WAY_IN.match(address)
    return "in" if is_way_in else str(response.status_code)


# --- what every address declares ------------------------------------------------------------------


def test_every_address_is_in_the_table(app) -> None:
    on_site = {
        (method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    adapter = app.url_map.bind("")
    numbers = {
        "order": "x",
        "invoice": "INV-1",
        "owner": "1",
        "payment": "k",
        "challenge": "c",
        "method": "1",
        "setup": "s",
        "contact": "1",
        "request": "r",
        "credit": "c",
        "statement": "1",
        "transfer": "1",
        "upload": "1",
    }
    numbers["nonprofit"] = "1"
    in_table = {(method, adapter.match(path.format(**numbers), method=method)[0]) for method, path in TABLE}
    assert on_site == in_table


def test_every_address_declares_who_may_open_it(app) -> None:
    for rule in app.url_map.iter_rules():
        access = getattr(app.view_functions[rule.endpoint], "access", "")
        assert ACCESS.fullmatch(access), f"{rule.rule} declares {access!r}"


def test_every_parameter_of_an_address_has_a_type(app) -> None:
    """Werkzeug's own converter for text lets everything through, NUL bytes too."""
    for rule in app.url_map.iter_rules():
        for name, converter in rule._converters.items():
            assert isinstance(converter, BaseConverter)
            assert type(converter) is not UnicodeConverter, f"{name} of {rule.rule} may be anything"


def test_only_posts_change_things(app) -> None:
    for rule in app.url_map.iter_rules():
        assert rule.methods <= {"GET", "HEAD", "OPTIONS", "POST"}, rule.rule


# --- the table ------------------------------------------------------------------------------------


def test_everybody_gets_what_the_table_says(browsers, names) -> None:
    wrong = []
    for method, path, role, expected in cells():
        address = path.format(**names)
        fields = {"price": "nonsense", "confirmed": "y"} if path.endswith("/plans") else {}
        browser = browsers[role]
        response = browser.get(address) if method == "GET" else browser.post(address, fields)
        if verdict(response) != expected:
            wrong.append(f"{role} {method} {path}: {verdict(response)} and not {expected}")
    assert not wrong, "\n".join(wrong)


def test_a_part_of_a_page_is_guarded_like_the_page(app, browsers, names) -> None:
    """Every block of every page, asked for alone by everybody."""
    wrong, asked = [], 0
    for (method, path), row in TABLE.items():
        address = path.format(**names)
        readers = [role for role, expected in zip(ROLES, row.split(), strict=True) if expected == "200"]
        if method != "GET" or not readers:
            continue
        for block in blocks_of(app, browsers[readers[0]], address):
            for role, expected in zip(ROLES, row.split(), strict=True):
                response = browsers[role].get(address, headers={**PART, "HX-Target": f"div#{block}"})
                asked += 1
                if verdict(response) != expected:
                    wrong.append(f"{role} #{block} of {path}: {verdict(response)} and not {expected}")
                if expected in ("403", "404"):
                    assert response.headers["HX-Retarget"] == "#refusal"
                    assert "<html" not in response.text
                if expected == "in":
                    assert response.status_code == 401
                    assert not response.data
    assert not wrong, "\n".join(wrong)
    assert asked >= 10 * len(ROLES)


def blocks_of(app, browser: Attacker, address: str) -> list[str]:
    templates = []

    def note(sender, template, **extra) -> None:
        templates.append(template.name)

    with template_rendered.connected_to(note, app):
        answer = browser.get(address)
    html = answer.text if answer.mimetype == "text/html" else ""
    blocks = app.jinja_env.get_template(templates[-1]).blocks if templates else {}
    return [block for block in blocks if f'id="{block}"' in html]


def test_a_forged_target_shows_nothing_more(browsers, names) -> None:
    """The name of any block, of any template, with any header that htmx sends."""
    for target in ("content", "title", "section#pricing", "#../../x", "main", "\xff" * 3, "x" * 5000):
        headers = {
            **PART,
            "HX-Target": target,
            "HX-Current-URL": "https://evil.example/",
            "HX-Boosted": "true",
        }
        for role, expected in (("visitor", "in"), ("member", "403"), ("stranger", "404"), ("owner", "200")):
            assert verdict(browsers[role].get("/w/acme/settings", headers=headers)) == expected


def test_without_the_header_of_htmx_its_words_count_for_nothing(browsers, names) -> None:
    forged = browsers["owner"].get(
        "/w/acme/plans", headers={"HX-Request-Type": "partial", "HX-Target": "x#pricing"}
    )
    assert forged.text.startswith("<!doctype html>")


# --- nothing of others exists ---------------------------------------------------------------------


def test_the_workspace_of_others_is_like_none(app, browsers, names) -> None:
    for method, path in TABLE:
        if not path.startswith("/w/acme/"):
            continue
        address = path.format(**names)
        for role in ("stranger", "operator", "disabled", "invited"):
            theirs = ask(browsers[role], method, address)
            none = ask(browsers[role], method, address.replace("/w/acme/", "/w/nope/"))
            assert theirs.status_code == none.status_code == 404
            assert plain(theirs, "acme") == plain(none, "nope"), f"{method} {path} for {role}"


@pytest.mark.parametrize(
    "page", ["invoices/{}", "invoices/{}.pdf", "checkout/{}", "checkout/{}/review", "checkout/{}/result"]
)
def test_a_document_of_others_is_like_none(browsers, names, page) -> None:
    """In one's own workspace, with every right, by the number of somebody else's."""
    number = names["invoice"] if page.startswith("invoices") else names["order"]
    missing = "INV-2026-999999" if page.startswith("invoices") else "x" * len(number)
    theirs = browsers["stranger"].get("/w/zenith/" + page.format(number))
    none = browsers["stranger"].get("/w/zenith/" + page.format(missing))
    assert theirs.status_code == none.status_code == 404
    assert plain(theirs, number) == plain(none, missing)


def test_an_order_of_another_member_is_like_none(browsers, names) -> None:
    for page in ("", "/review", "/result"):
        theirs = browsers["member"].get(f"/w/acme/checkout/{names['order']}{page}")
        none = browsers["member"].get(f"/w/acme/checkout/{'x' * 12}{page}")
        assert theirs.status_code == none.status_code == 404
        assert plain(theirs, names["order"]) == plain(none, "x" * 12)


@pytest.mark.parametrize(
    "act", ["", "/disable", "/enable", "/invite", "/guest", "/remove", "/hand-over", "/billing-access"]
)
def test_a_member_of_others_is_like_none(app, browsers, names, act) -> None:
    """By the number of a membership of Acme, in Zenith."""
    answers = [browsers["stranger"].post(f"/w/zenith/members/{n}{act}") for n in (names["owner"], 99999)]
    assert [answer.status_code for answer in answers] == [404, 404]
    with facts(app):
        assert Member.get_by_id(int(names["owner"])).status == MemberStatus.ACTIVE


def test_a_payment_of_another_workspace_is_none_for_operators_too(browsers, names) -> None:
    there = browsers["operator"].post(f"/operator/workspaces/zenith/payments/{names['payment']}/look-up")
    assert there.status_code == 404


def ask(browser: Attacker, method: str, path: str):
    return browser.get(path) if method == "GET" else browser.post(path)


def plain(response, name: str) -> str:
    """The page without the CSRF token and the name that was asked for."""
    return re.sub(r"(X-CSRFToken|csrf_token)[^>]*", "", response.text).replace(name, "it")


# --- looking changes nothing ----------------------------------------------------------------------


def test_looking_changes_nothing(app, browsers, names) -> None:
    before = everything(app)
    roles = ("visitor", "owner", "member", "operator")
    others = [*product(roles, ("HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))]
    for turn, (method, path) in enumerate(TABLE):
        looks = [(role, "GET") for role in roles] if method == "GET" else []
        for role, verb in (*looks, *share(others, turn, shares=5)):
            browsers[role].ask(verb, path.format(**names))
    assert everything(app) == before
    with facts(app):
        assert_books_clean()


def everything(app) -> dict[str, str]:
    """Every row of every table, but what counts and notes the looking itself."""
    with facts(app):
        return {
            model.__name__: json.dumps(sorted(model.select().tuples(), key=str), default=str)
            for model in ALL_MODELS
            if model not in (LimitBucket, Session)
        }


# --- rights as they are now -----------------------------------------------------------------------


def test_a_demotion_counts_from_the_next_request(app, browsers, names) -> None:
    def change(**changes) -> None:
        with facts(app):
            Member.update(**changes).where(
                Member.person == Person.get(Person.email == "admin@acme.test")
            ).execute()

    admin = browsers["admin"]
    assert admin.get("/w/acme/members").status_code == 200
    change(role=Role.MEMBER)
    assert admin.get("/w/acme/members").status_code == 403
    assert admin.post("/w/acme/members", {"emails": "x@acme.test", "role": "member"}).status_code == 403
    assert admin.get(f"/w/acme/invoices/{names['invoice']}.pdf").status_code == 403
    change(status=MemberStatus.GUEST)
    assert admin.get("/w/acme/plans").status_code == 403
    change(joined_at=None, status=MemberStatus.ACTIVE)
    assert admin.get("/w/acme/plans").status_code == 404


def test_who_is_disabled_is_signed_out(app, browsers, names) -> None:
    with facts(app):
        member = Member.get(Member.person == Person.get(Person.email == "member@acme.test"))
    assert browsers["member"].get("/w/acme/plans").status_code == 200
    assert browsers["owner"].post(f"/w/acme/members/{member.id}/disable").status_code == 303
    assert verdict(browsers["member"].get("/w/acme/plans")) == "in"


def test_who_is_no_operator_any_more_finds_nothing(app, browsers, names) -> None:
    with facts(app):
        Person.update(is_operator=False).where(Person.email == "staff@vendor.test").execute()
    assert browsers["operator"].get("/operator/").status_code == 404
    assert (
        browsers["operator"].post("/operator/workspaces/acme", {"amount": "1", "unit": "GB"}).status_code
        == 404
    )


def test_who_may_buy_is_the_owners_decision(app, browsers, names) -> None:
    """It closes an order that is open, too."""
    with facts(app):
        member = Person.get(Person.email == "member@acme.test")
        own = an_order_of(member, Workspace.get(Workspace.slug == "acme")).number
    assert browsers["member"].get(f"/w/acme/checkout/{own}/review").status_code == 200
    with facts(app):
        Workspace.update(who_may_buy=WhoMayBuy.BILLING).execute()
    for role, expected in {
        "owner": 422,
        "manager": 422,
        "upgrader": 422,
        "admin": 403,
        "member": 403,
        "guest": 403,
    }.items():
        answer = browsers[role].post("/w/acme/plans", {"price": "nonsense", "confirmed": "y"})
        assert answer.status_code == expected, role
    for page in ("", "/review", "/result"):
        assert browsers["member"].get(f"/w/acme/checkout/{own}{page}").status_code == 403
    refused = browsers["member"].post(f"/w/acme/checkout/{own}/review", {"quote": "x"})
    assert refused.status_code == 403
    assert "owner@acme.test" in refused.text, "the page names who can"
    assert "manager@acme.test" in refused.text
    assert "admin@acme.test" not in refused.text


def test_hidden_plans_are_hidden_from_plain_members_alone(app, browsers, names) -> None:
    with facts(app):
        Workspace.update(hides_plans_from_members=True).execute()
    for page in ("plans", "history", f"invoices/{names['invoice']}"):
        for role, expected in {
            "owner": 200,
            "manager": 200,
            "upgrader": 200,
            "admin": 200,
            "member": 403,
            "guest": 403,
        }.items():
            assert browsers[role].get(f"/w/acme/{page}").status_code == expected, (page, role)
    assert browsers["member"].post("/w/acme/plans", {"price": "business-20:month"}).status_code == 403
    assert 'href="/w/acme/plans"' not in browsers["member"].get("/w/acme/plans").text


def test_members_see_no_billing_details(browsers, names) -> None:
    for page in ("history", "plans", f"invoices/{names['invoice']}"):
        seen = {
            role: browsers[role].get(f"/w/acme/{page}").text.partition("<main")[2]
            for role in ("admin", "member")
        }
        for private in ("Jeanne Martin", "12 rue de la Paix", "compta@acme.example"):
            assert private not in seen["member"], (page, private)
    assert "12 rue de la Paix" in seen["admin"]


def test_an_admin_gives_no_right_that_they_lack(app, browsers, names) -> None:
    for role in ("owner", "billing_manager", "operator", "", "OWNER"):
        answer = browsers["admin"].post("/w/acme/members", {"emails": "new@acme.test", "role": role})
        assert answer.status_code == 422, role
    with facts(app):
        assert not Person.select().where(Person.email == "new@acme.test").exists()
        assert Order.select().where(Order.number == names["order"]).exists()
        assert Payment.select().where(Payment.key == names["payment"]).exists()
