"""The vendor's catalogue: what `catalogue.toml` declares, read and judged without looking at the day."""

from portal.domain.catalogue.declared import (
    Catalogue,
    DeclaredPlan,
    DeclaredPrice,
    DeclaredProduct,
    DeclaredTier,
    Links,
)
from portal.domain.catalogue.faults import CatalogueFault, CatalogueInvalid
from portal.domain.catalogue.parsing import parse_catalogue

__all__ = [
    "Catalogue",
    "CatalogueFault",
    "CatalogueInvalid",
    "DeclaredPlan",
    "DeclaredPrice",
    "DeclaredProduct",
    "DeclaredTier",
    "Links",
    "parse_catalogue",
]
