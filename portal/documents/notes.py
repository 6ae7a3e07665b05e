"""Sentences under an invoice's line, in each language: the six figures of a change (product.md §4)."""

from portal.domain.frozen_quote import FrozenLine
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
