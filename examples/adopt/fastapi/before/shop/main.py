"""What a server loads: ``uvicorn shop.main:app``."""

import os

from . import create_app

app = create_app(os.environ.get("SHOP_DATABASE", "sqlite:///shop.db"))
