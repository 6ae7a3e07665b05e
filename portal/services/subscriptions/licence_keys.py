"""The licence keys of subscriptions: made with what was paid or tried, shown again, replaced, activated.

A key follows from a random seed in its row and from PORTAL_SECRET_KEY, which is in no database: it can be
shown again as often as somebody may see it, and whoever reads the tables alone knows no key
(docs/adr/0030). Every change holds the workspace's lock, and a constraint refuses a second live key.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from portal.database.connecting import require_transaction, transaction
from portal.domain.errors import PortalError
from portal.domain.licence_keys import RANDOM_BITS, key_of, read_key
from portal.domain.lifecycle import WITHOUT_ACCESS
from portal.domain.vocabulary import SubscriptionState
from portal.models import LicenceKey, Person, Product, Subscription, Workspace
from portal.runtime import current
from portal.services import letters

from . import agreement, changing
from .agreement import SubscriptionStatus

SEED_BYTES = 32


class KeyChanged(PortalError):
    """The key that was shown is not the live one any more: it was `replaced`; None: it never was one."""

    replaced: LicenceKey | None


class KeyUnknown(PortalError):
    """No subscription has such a key."""


class KeyReplaced(PortalError):
    """Another key took its place on the day `on`, by the workspace's calendar."""

    product_names: dict[str, str]
    on: date


class KeyWithoutAccess(PortalError):
    """The key is right, and in this `state` of its subscription nobody may use the product."""

    product_names: dict[str, str]
    workspace: str
    state: SubscriptionState


# --- making and showing ---------------------------------------------------------------------------


def give(subscription: Subscription, *, now: datetime) -> None:
    """The key of whatever is activated by one, unless it has a live one already. Inside the workspace's lock.

    Called wherever something is paid or tried, and by the run, which so gives a key to whoever had the
    product before it had keys. Nobody of a deleted workspace could see it.
    """
    require_transaction()
    if not subscription.product.licence_keys or subscription.workspace.deleted_at is not None:
        return
    if live_key(subscription) is None:
        _make(subscription, now=now)


def make(subscription: Subscription, *, now: datetime) -> None:
    """`give`, for whoever does not want to wait for the run. Locks the workspace; safe to repeat."""
    with transaction(lock=subscription.workspace):
        subscription.workspace = Workspace.get_by_id(subscription.workspace_id)
        give(subscription, now=now)


def live_key(subscription: Subscription) -> LicenceKey | None:
    """None while none was made. One query."""
    return LicenceKey.get_or_none(LicenceKey.subscription == subscription, LicenceKey.replaced_at.is_null())


def text_of(key: LicenceKey) -> str | None:
    """The key itself, without dashes; None where the secret that it was made with is known no more.

    It goes on working then: it is recognised by its digest.
    """
    made = (_follows_from(key.seed, secret) for secret in _secrets())
    return next((text for text in made if hmac.compare_digest(_digest(text), key.digest)), None)


def keyed_products(subscriptions: Iterable[Subscription]) -> Sequence[Product]:
    """The products of `subscriptions` that are activated by a key, in the order in which they are sold."""
    keyed = [each.product for each in subscriptions if each.product.licence_keys]
    return sorted(keyed, key=lambda product: (product.position, product.id))


def _make(subscription: Subscription, *, now: datetime) -> LicenceKey:
    seed = secrets.token_hex(SEED_BYTES)
    digest = _digest(_follows_from(seed, current().settings.secret_key))
    return LicenceKey.create(subscription=subscription, seed=seed, digest=digest, made_at=now)


def _secrets() -> Iterator[str]:
    settings = current().settings
    yield settings.secret_key
    yield from settings.secret_key_fallbacks


def _follows_from(seed: str, secret: str) -> str:
    own_secret = hashlib.sha256(b"licence key" + secret.encode()).digest()
    made = hmac.new(own_secret, seed.encode(), hashlib.sha256).digest()
    return key_of(int.from_bytes(made) >> 8 * len(made) - RANDOM_BITS)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- replacing ------------------------------------------------------------------------------------


def replace(subscription: Subscription, *, shown: int, by: Person, now: datetime) -> LicenceKey:
    """Another key in the place of the one with the id `shown`, which is dead at once, its activation with it.

    Locks the workspace and tells its owners. Raises KeyChanged where another key is live by now.
    """
    workspace, product = subscription.workspace, subscription.product
    with transaction(lock=workspace):
        old = live_key(subscription)
        if old is None or old.id != shown:
            raise KeyChanged(replaced=_ended(subscription, shown))
        old.replaced_at = now
        old.save()
        new = _make(subscription, now=now)
        was_activated = old.activated_at is not None
        changing.record(
            "licence_key.replaced",
            subscription,
            {"product": product.code, "was_activated": was_activated},
            now=now,
        )
        letters.send(
            "licence_key_replaced",
            to=letters.owners(workspace),
            workspace=workspace,
            key=f"licence-key-replaced-{new.id}",
            context={
                "product": product.code,
                "product_names": dict(product.names),
                "by": by.name,
                "was_activated": was_activated,
            },
        )
    return new


def _ended(subscription: Subscription, key_id: int) -> LicenceKey | None:
    return LicenceKey.get_or_none(
        LicenceKey.id == key_id,
        LicenceKey.subscription == subscription,
        LicenceKey.replaced_at.is_null(False),
    )


# --- activating -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Activation:
    """What the product is told of a key that it may take. `is_first`: it was not activated before."""

    key: LicenceKey
    status: SubscriptionStatus
    activated_at: datetime
    is_first: bool

    @property
    def workspace(self) -> Workspace:
        return self.status.subscription.workspace

    @property
    def product(self) -> Product:
        return self.status.subscription.product

    @property
    def until(self) -> date | None:
        """The last usable day as far as is known today; None: no end is set."""
        if self.status.state is SubscriptionState.LATE and self.status.blocked_on is not None:
            return self.status.blocked_on - timedelta(days=1)
        return self.status.due_on


def activate(typed: str, *, now: datetime) -> Activation:
    """Take the key that somebody typed into the product; a second time is no other one.

    Locks the workspace that the key is of. Raises KeyUnknown, KeyReplaced, KeyWithoutAccess, and what
    read_key does.
    """
    digest = _digest(read_key(typed))
    workspace = _workspace_of(digest)
    if workspace is None:
        raise KeyUnknown()
    with transaction(lock=workspace):
        return _activate(digest, workspace, now=now)


def _activate(digest: str, workspace: Workspace, *, now: datetime) -> Activation:
    """As the key and its subscription are under the lock."""
    key = LicenceKey.get_or_none(LicenceKey.digest == digest)
    if key is None:
        raise KeyUnknown()
    status = _status_of(key, workspace, now=now)
    product = status.subscription.product
    if key.replaced_at is not None:
        raise KeyReplaced(product_names=dict(product.names), on=workspace.day(key.replaced_at))
    if status.state in WITHOUT_ACCESS:
        raise KeyWithoutAccess(
            product_names=dict(product.names), workspace=workspace.name, state=status.state
        )
    is_first = key.activated_at is None
    if is_first:
        key.activated_at = now
        key.save()
        changing.record("licence_key.activated", status.subscription, {"product": product.code}, now=now)
    return Activation(key, status, activated_at=key.activated_at, is_first=is_first)


def find_activation(key_id: int, *, is_first: bool, now: datetime) -> Activation | None:
    """The same to be shown again; None once the key is live no more."""
    key = LicenceKey.get_or_none(LicenceKey.id == key_id)
    if key is None or key.activated_at is None or key.replaced_at is not None:
        return None
    workspace = _workspace_of(key.digest)
    if workspace is None:
        return None
    status = _status_of(key, workspace, now=now)
    return Activation(key, status, activated_at=key.activated_at, is_first=is_first)


def _workspace_of(digest: str) -> Workspace | None:
    """None where nobody has the key, and for a product that the vendor sells without keys by now."""
    workspace: Workspace | None = (
        Workspace.select(Workspace)
        .join_from(Workspace, Subscription)
        .join_from(Subscription, LicenceKey)
        .join_from(Subscription, Product)
        .where(LicenceKey.digest == digest, Product.licence_keys)
        .first()
    )
    return workspace


def _status_of(key: LicenceKey, workspace: Workspace, *, now: datetime) -> SubscriptionStatus:
    subscription = next(each for each in agreement.all_of(workspace) if each.id == key.subscription_id)
    return agreement.status_of(subscription, today=workspace.day(now))
