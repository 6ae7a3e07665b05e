"""Sentences under a document's line, in each language: of how many days it is, of which line it is a credit,
and the six figures of a change (product.md §4).
"""

from collections.abc import Mapping
from typing import Any

from portal.domain.frozen_quote import FrozenLine
from portal.domain.vocabulary import DocumentKind
from portal.words.formats import long_date, money_text

SENTENCES = {
    "en": (
        "Price per day: {rate_old} (old plan), {rate_new} (new plan).",
        "Left of the old plan: {unused} unused days, worth {left}.",
        "Extra days: {extra}. New due date: {due}.",
    ),
    "fr": (
        "Prix par jour : {rate_old} (ancien plan), {rate_new} (nouveau plan).",
        "Reste de l’ancien plan : {unused} journées non utilisées, soit {left}.",
        "Jours de prolongation : {extra}. Nouvelle échéance : {due}.",
    ),
}

SHARES = {
    "en": {
        "days": "{days} of {base_days} days",
        "one_day": "{days} of {base_days} days",
        "only_day": "{days} of {base_days} day",
        "charge": "{share}; for the whole period: {price}",
        "credit": "{share}; charged for all of them: {price}",
        "line": "Credit on invoice {number} of {date}, line {line}",
        "before": "Credited before: {amount}",
    },
    "fr": {
        "days": "{days} jours sur {base_days}",
        "one_day": "{days} jour sur {base_days}",
        "only_day": "{days} jour sur {base_days}",
        "charge": "{share} ; pour la période entière : {price}",
        "credit": "{share} ; facturé pour l’ensemble : {price}",
        "line": "Avoir sur la facture {number} du {date}, ligne {line}",
        "before": "Déjà crédité : {amount}",
    },
}


def share_notes(line: Mapping[str, Any], facts: Mapping[str, Any], language: str) -> list[str]:
    """The days that a line of an issued document is for, out of how many, and which line it credits.

    `line` is one of those of `facts`. Empty for a whole price.
    """
    share, credited, words = line.get("share"), line.get("credits"), SHARES[language]
    if share is None:
        return []
    days, base_days = share["days"], share["base_days"]
    which = "only_day" if base_days == 1 else "one_day" if days == 1 else "days"
    of_days = words[which].format(days=days, base_days=base_days)
    price = money_text(share["price_minor"], facts["currency"], language)
    if credited is None:
        return [words["charge"].format(share=of_days, price=price)]
    corrected = facts["corrects"]
    issued_on = long_date(corrected["issued_on"], language)
    sentences = [
        words["line"].format(number=corrected["number"], date=issued_on, line=credited["position"]),
        words["credit"].format(share=of_days, price=price),
    ]
    if credited["credited_net_minor"]:
        amount = money_text(credited["credited_net_minor"], facts["currency"], language)
        sentences.append(words["before"].format(amount=amount))
    return sentences


def line_number(line: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """What stands before a line of an invoice that has several: credit notes name it. "" elsewhere."""
    if facts["kind"] != DocumentKind.INVOICE or len(facts["lines"]) < 2 or "position" not in line:
        return ""
    return f"{line['position']}."


def notes_of(line: FrozenLine) -> dict[str, list[str]]:
    """By language; empty where nothing of an old plan became days."""
    figures = line.extension
    if figures is None:
        return {language: [] for language in SENTENCES}
    currency = line.net.currency
    return {
        language: [
            sentence.format(
                rate_old=money_text(figures["rate_old_minor"], currency, language),
                rate_new=money_text(figures["rate_new_minor"], currency, language),
                unused=figures["unused_days"],
                left=money_text(figures["money_left_minor"], currency, language),
                extra=figures["extra_days"],
                due=long_date(line.due_on.isoformat(), language),
            )
            for sentence in sentences
        ]
        for language, sentences in SENTENCES.items()
    }
