"""What the pages of one licensed subscription share: which one it is, and where they lead."""

from flask import abort, url_for

from portal.models import Product, Subscription
from portal.services.places import Place
from portal.services.subscriptions import agreement
from portal.words.i18n import gettext as _


def product_or_404(code: str) -> Product:
    """A licensed product, withdrawn ones too: whoever has one keeps it. The workspace plan has other ways."""
    product = agreement.licensed_product(code)
    if product is None:
        abort(404)
    return product


def subscription_or_404(place: Place, code: str) -> Subscription:
    """The workspace's own. Another workspace's, and what it never had, answer like an unknown product."""
    subscription = agreement.of_product(place.workspace, product_or_404(code))
    if subscription is None:
        abort(404)
    return subscription


def subscriptions_page(place: Place) -> tuple[str, str]:
    """The label and the address of where all subscriptions stand."""
    return _("Back to the subscriptions"), url_for("subscriptions.show", slug=place.workspace.slug)


def buying_page(place: Place, product: Product) -> str:
    """Where licences of the product are bought."""
    return url_for("add_subscription.show", slug=place.workspace.slug, product=product.code, how="buy")
