"""Maps that keep the rules: full national boundary, South China Sea inset, scale, source, classes, approval number."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["base", "country", "patterns", "regional"],
    submod_attrs={
        "base": ["scale_bar"],
        "country": ["china_map", "city_points"],
        "patterns": ["ellipse_map", "lisa_map", "network_map"],
        "regional": ["region_map"],
    },
)
