"""MONAI, imported without Transformers and Matplotlib.

Where these are installed (PEFT brings the first), MONAI imports them for TransChex, a network of images and text that
no bundle here can be, and for notebooks: a quarter of the time until a model's process is ready.
"""

import importlib
import sys

NOT_NOW = ("transformers", "matplotlib")


def import_without(name: str, hidden: tuple[str, ...]) -> None:
    """Import a module that is told of others that they are not installed; who asks for them later finds them."""
    if name in sys.modules:
        return
    away = [one for one in hidden if one not in sys.modules]
    sys.modules.update(dict.fromkeys(away))  # type: ignore[arg-type] # None: how Python is told that there is none
    try:
        importlib.import_module(name)
    finally:
        for one in away:
            del sys.modules[one]


import_without("monai", NOT_NOW)
