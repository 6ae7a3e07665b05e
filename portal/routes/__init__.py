"""One folder for each area; `register` puts every address on the site."""

from flask import Flask

from portal.settings import Settings


def register(app: Flask, settings: Settings) -> None:
    from .billing import calendars, contacts, overview
    from .billing import settings as billing_settings
    from .checkout import amount_due, cart, open_invoices, pay_links
    from .checkout import pages as checkout
    from .invoices import corrections, history, statements, year_archives
    from .members import licences, one_member, roster
    from .operator import bank_statements, bank_transfers, exchange_rates, messages, workspaces
    from .operator import credits as operator_credits
    from .operator import nonprofit as nonprofit_requests
    from .operator import pay_links as operator_pay_links
    from .operator import refunds as operator_refunds
    from .payments import methods, new_method, refunds
    from .people import account, own_email, own_orders, signing_in
    from .plans import page as plans
    from .public import checking, faq, nonprofit
    from .public import pages as public
    from .requests import pages as requests
    from .subscriptions import (
        adding,
        auto_renewal,
        cancellation,
        free_plan,
        licence_change,
        licence_key,
        scheduled_change,
    )
    from .subscriptions import page as subscriptions
    from .subscriptions import trial as product_trial
    from .workspace import creating, features
    from .workspace import settings as workspace

    areas = (
        (public, faq, nonprofit, checking),
        (signing_in, account, own_email, own_orders),
        (overview, calendars),
        (plans,),
        (scheduled_change, free_plan, auto_renewal),
        (subscriptions, adding, product_trial, licence_change, cancellation, licence_key),
        (checkout, amount_due, cart, requests, open_invoices, pay_links),
        (methods, new_method, refunds),
        (billing_settings, contacts),
        (history, corrections, statements, year_archives),
        (roster, one_member, licences),
        (features, workspace, creating),
        (workspaces, operator_refunds, operator_credits, nonprofit_requests, messages, exchange_rates),
        (bank_statements, bank_transfers, operator_pay_links),
    )
    for area in areas:
        for module in area:
            app.register_blueprint(module.blueprint)
    app.register_blueprint(auto_renewal.of_licences)
    app.register_blueprint(amount_due.of_licences)
    app.register_blueprint(contacts.links)
    if settings.sandbox_only:
        from . import sandbox

        app.register_blueprint(sandbox.blueprint)
