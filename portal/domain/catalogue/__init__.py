"""The vendor's catalogue: what `catalogue.toml` declares, read and judged for a day."""

from .declared import Catalogue, DeclaredFeature, DeclaredPlan, DeclaredPrice, DeclaredProduct, Links
from .faults import CatalogueFault, CatalogueInvalid
from .parsing import parse_catalogue

__all__ = [
    "Catalogue",
    "CatalogueFault",
    "CatalogueInvalid",
    "DeclaredFeature",
    "DeclaredPlan",
    "DeclaredPrice",
    "DeclaredProduct",
    "Links",
    "parse_catalogue",
]
