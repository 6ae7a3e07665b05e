"""Every sentence of the pages is translated, and no translation is left over.

    python -m tools.check_translations            says what is missing; exit 1 if anything is
    python -m tools.check_translations --update   brings the catalogs up to date, new sentences empty

Sentences are found as babel.cfg says; the source language is English.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "portal" / "translations"
FRENCH_FAULTS = re.compile(r"[ \u00a0][;:!?»]|«(?!\u202f)|[\w)][;!?»]|[\w)]:(?=\s)|['\"]")
"""What French typography does not allow: it has narrow no-break spaces (U+202F), « » and ’."""
KEYWORDS = DEFAULT_KEYWORDS | {
    "_l": None,
    "_n": (1, 2),
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
    # The sentences of the sandbox's cards, which a gateway may not translate itself.
    "_card": (3,),
    "Magic": (3,),
}


def sentences() -> Catalog:
    """Every sentence in the code and the templates, with the files it comes from."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    catalog = Catalog(project="Portal", charset="utf-8")
    found = extract_from_dir(ROOT, methods, options, keywords=KEYWORDS, comment_tags=("Translators:",))
    for filename, _line, message, comments, context in sorted(found, key=lambda row: (row[0], row[1])):
        catalog.add(message, locations=[(filename, 0)], auto_comments=comments, context=context)
    return catalog


def catalogs() -> list[Path]:
    return sorted(TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], domain="messages")


def faults(wanted: Catalog, translated: Catalog) -> Iterator[str]:
    """What keeps `translated` from being complete, exact and free of leftovers."""
    for message in wanted:
        if message.id and translated.get(message.id, message.context) is None:
            yield f"not in the catalog: {_shown(message)} ({message.locations[0][0]})"
    for message in translated:
        if not message.id:
            continue
        if wanted.get(message.id, message.context) is None:
            yield f"no longer used: {_shown(message)}"
        elif message.fuzzy:
            yield f"marked fuzzy: {_shown(message)}"
        elif not all(message.string if isinstance(message.string, tuple) else (message.string,)):
            yield f"not translated: {_shown(message)}"
        elif translated.locale and translated.locale.language == "fr" and has_french_faults(message):
            yield f"not in French typography: {_shown(message)}"
        else:
            for error in message.check(translated):
                yield f"{error}: {_shown(message)}"


def has_french_faults(message: Message) -> bool:
    sentences = message.string if isinstance(message.string, tuple) else (message.string,)
    return any(FRENCH_FAULTS.search(str(sentence)) for sentence in sentences)


def _shown(message: Message) -> str:
    return repr(message.id[0] if isinstance(message.id, tuple) else message.id)


def update(path: Path, wanted: Catalog) -> None:
    """Add new sentences, drop unused ones; never guess a translation from one that looks alike."""
    catalog = read(path)
    catalog.update(wanted, no_fuzzy_matching=True, update_creation_date=False)
    with path.open("wb") as file:
        write_po(file, catalog, width=110, ignore_obsolete=True, sort_output=True, include_lineno=False)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Check the catalogs against the sentences of the pages.")
    parser.add_argument("--update", action="store_true", help="bring the catalogs up to date")
    chosen = parser.parse_args(arguments)
    wanted = sentences()
    found = 0
    for path in catalogs():
        if chosen.update:
            update(path, wanted)
        for sentence in faults(wanted, read(path)):
            print(f"{path.relative_to(ROOT)}: {sentence}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
