"""Says in the metadata of a PDF that the attached XML is its e-invoice, as Factur-X 1.0 asks.

typst writes the metadata itself, uncompressed, and nothing can be added to them there. So an update is
appended to the file, as PDF provides for: the metadata object once more with what was missing, and where it
stands.
"""

import re

METADATA = re.compile(rb"/Metadata (\d+) 0 R")
START = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*$")
TRAILER = re.compile(rb"trailer\s*<<(.*?)>>\s*startxref", re.DOTALL)
FACTURX = b"""\
<rdf:Description rdf:about="" xmlns:fx="urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#">\
<fx:DocumentType>INVOICE</fx:DocumentType><fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>\
<fx:Version>1.0</fx:Version><fx:ConformanceLevel>EN 16931</fx:ConformanceLevel></rdf:Description>"""
_PROPERTY = b"""\
<rdf:li rdf:parseType="Resource"><pdfaProperty:name>%b</pdfaProperty:name>\
<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>\
<pdfaProperty:description>%b</pdfaProperty:description></rdf:li>"""
SCHEMA = (
    b"""\
<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>\
<pdfaSchema:namespaceURI>urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#</pdfaSchema:namespaceURI>\
<pdfaSchema:prefix>fx</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq>"""
    + b"".join(
        _PROPERTY % (name, description)
        for name, description in (
            (b"DocumentFileName", b"The name of the embedded XML document"),
            (b"DocumentType", b"The type of the hybrid document in capital letters"),
            (b"Version", b"The actual version of the standard applying to the embedded XML document"),
            (b"ConformanceLevel", b"The conformance level of the embedded XML document"),
        )
    )
    + b"</rdf:Seq></pdfaSchema:property></rdf:li>"
)
"""PDF/A knows no `fx` unless the document describes it (ISO 19005-3, 6.6.2.3)."""


def with_facturx_metadata(pdf: bytes) -> bytes:
    """The same document with an update at its end. Raises ValueError for a PDF not laid out as typst's."""
    references, start, trailer = METADATA.findall(pdf), START.search(pdf), TRAILER.findall(pdf)
    if len(set(references)) != 1 or start is None or len(trailer) != 1:
        raise ValueError("no PDF with one metadata object and one table")
    number = references[0]
    found = re.search(
        rb"\n%b 0 obj\s*<<(.*?)>>\s*stream\r?\n(.*?)\r?\nendstream\s*endobj" % number, pdf, re.DOTALL
    )
    if found is None or b"/Filter" in found[1]:
        raise ValueError("no metadata that can be read")
    metadata = _extended(found[2])
    entries = re.sub(rb"/Length \d+", b"/Length %d" % len(metadata), found[1])
    at = len(pdf)
    update = b"%b 0 obj\n<<%b>>\nstream\n%b\nendstream\nendobj\n" % (number, entries, metadata)
    table = b"xref\n%b 1\n%010d 00000 n \n" % (number, at)
    kept = re.sub(rb"\s*/Prev \d+", b"", trailer[0]).strip()
    return (
        pdf
        + update
        + table
        + (b"trailer\n<<\n%b\n/Prev %b\n>>\nstartxref\n%d\n%%%%EOF\n" % (kept, start[1], at + len(update)))
    )


def _extended(metadata: bytes) -> bytes:
    described, end = metadata.find(b"</rdf:Bag></pdfaExtension:schemas>"), metadata.rfind(b"</rdf:RDF>")
    if not 0 < described < end or b"<fx:" in metadata:
        raise ValueError("no metadata that can be added to")
    return metadata[:described] + SCHEMA + metadata[described:end] + FACTURX + metadata[end:]
