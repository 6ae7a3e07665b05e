"""Invented companies and people of the countries that the demo sells to. None of them exists.

VAT numbers are the published examples of vat_numbers.py: their check digits hold, they belong to nobody here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """What companies of a country look like. `weight`: how many of a hundred are from there."""

    code: str
    weight: int
    language: str
    currency: str
    company_forms: Sequence[str]
    first_names: Sequence[str]
    last_names: Sequence[str]
    streets: Sequence[str]
    places: Sequence[tuple[str, str]]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES: tuple[Country, ...] = (
    Country(
        code="FR",
        weight=52,
        language="fr",
        currency="EUR",
        company_forms=(
            "Ateliers {}",
            "Cabinet {}",
            "Librairie {}",
            "Menuiserie {}",
            "Maison {}",
            "Studio {}",
            "Imprimerie {}",
            "Étude {}",
            "Conserverie {}",
            "Transports {}",
        ),
        first_names=_words(
            "Camille Inès Jeanne Léa Margaux Nour Sabine Zoé Adrien Bastien Damien Étienne Gaël "
            "Hugo Karim Mathéo Olivier Rémi Thibault Yann"
        ),
        last_names=_words(
            "Aubrac Bellanger Carvallon Daumesnil Estève Fontbonne Garrigue Hautecloque Jolivet "
            "Kerbrat Lespinasse Marchenoir Noyelle Orvault Pradel Quéméneur Rochebrune Sauvagnac "
            "Tessandier Valcourt"
        ),
        streets=(
            "rue des Tilleuls",
            "quai des Brumes",
            "avenue du Moulin",
            "place aux Herbes",
            "cours des Halles",
        ),
        places=(
            ("75011", "Paris"),
            ("69002", "Lyon"),
            ("13001", "Marseille"),
            ("33000", "Bordeaux"),
            ("44000", "Nantes"),
            ("59000", "Lille"),
            ("67000", "Strasbourg"),
            ("35000", "Rennes"),
        ),
    ),
    Country(
        code="BE",
        weight=9,
        language="fr",
        currency="EUR",
        company_forms=("Brasserie {}", "Bureau {}", "Ateliers {}", "{} & Filles", "Garage {}"),
        first_names=_words("Amandine Elke Lotte Maïté Bart Corentin Jasper Maxime"),
        last_names=_words("Delvigne Haesendonk Lambrecq Moreels Ostende Renders Tervuyren Wauquier"),
        streets=("rue du Beffroi", "avenue des Érables", "chaussée de Wemmel"),
        places=(("1000", "Bruxelles"), ("4000", "Liège"), ("5000", "Namur"), ("9000", "Gent")),
    ),
    Country(
        code="DE",
        weight=12,
        language="en",
        currency="EUR",
        company_forms=("{} GmbH", "Tischlerei {}", "Kanzlei {}", "{} Werkzeugbau", "Verlag {}"),
        first_names=_words("Anke Birgit Frieda Jule Enno Henrik Lennart Tilman"),
        last_names=_words("Brandis Eichwald Feldkamp Hollmann Kesselring Lindner Rautenberg Wiesner"),
        streets=("Lindenweg", "Mühlenstraße", "Am Alten Hafen"),
        places=(("10115", "Berlin"), ("20095", "Hamburg"), ("50667", "Köln"), ("80331", "München")),
    ),
    Country(
        code="ES",
        weight=6,
        language="en",
        currency="EUR",
        company_forms=("Talleres {}", "Bodegas {}", "Estudio {}", "{} e Hijas"),
        first_names=_words("Alba Inmaculada Lucía Nerea Álvaro Gonzalo Iker Sergi"),
        last_names=_words("Belarra Castanedo Echeverri Montalvo Olivenza Quintanar Sorolla Valverde"),
        streets=("Calle del Olivo", "Paseo de la Ribera"),
        places=(("28004", "Madrid"), ("08002", "Barcelona"), ("46001", "Valencia")),
    ),
    Country(
        code="IT",
        weight=6,
        language="en",
        currency="EUR",
        company_forms=("Officina {}", "Studio {}", "Pastificio {}", "{} Arredi"),
        first_names=_words("Chiara Elisa Ginevra Noemi Davide Lorenzo Mattia Pietro"),
        last_names=_words("Albanesi Brambati Corsaro Fontanella Lusardi Montefiore Pedrini Salviati"),
        streets=("Via dei Gelsi", "Corso delle Rose"),
        places=(("00184", "Roma"), ("20121", "Milano"), ("10121", "Torino")),
    ),
    Country(
        code="NL",
        weight=5,
        language="en",
        currency="EUR",
        company_forms=("Drukkerij {}", "Bakkerij {}", "{} Advies", "{} Scheepsbouw"),
        first_names=_words("Femke Marijke Sanne Daan Joost Ruben"),
        last_names=_words("Boekhorst Duinzicht Hofstra Kruithof Meerdink Zandbergen"),
        streets=("Kerkpad", "Nieuwe Gracht"),
        places=(("1012 AB", "Amsterdam"), ("3511 CE", "Utrecht")),
    ),
    Country(
        code="GB",
        weight=5,
        language="en",
        currency="USD",
        company_forms=("{} & Daughters Ltd", "{} Instruments", "The {} Press", "{} Nurseries"),
        first_names=_words("Beatrix Imogen Morwenna Alistair Callum Rhys"),
        last_names=_words("Ashcombe Fairweather Hartwell Langstaff Penrose Thornbury"),
        streets=("Orchard Lane", "Harbour Row"),
        places=(("BS1 4DJ", "Bristol"), ("EH1 1YZ", "Edinburgh")),
    ),
    Country(
        code="CH",
        weight=5,
        language="fr",
        currency="EUR",
        company_forms=("Horlogerie {}", "Fiduciaire {}", "{} & Cie"),
        first_names=_words("Anouk Mélisande Sandrine Blaise Luc Urs"),
        last_names=_words("Bonvillard Chassot Duperrex Jaccottet Rochat Zumbach"),
        streets=("chemin des Vignes", "rue du Lac"),
        places=(("1204", "Genève"), ("1003", "Lausanne")),
    ),
)
BY_CODE: Mapping[str, Country] = {country.code: country for country in COUNTRIES}
