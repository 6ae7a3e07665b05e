"""The vendor's catalogue: what `catalogue.toml` declares, read and judged for a day."""

from .declared import Catalogue, DeclaredPlan, DeclaredPrice, DeclaredProduct, DeclaredTier, Links
from .faults import CatalogueFault, CatalogueInvalid
from .parsing import parse_catalogue

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
