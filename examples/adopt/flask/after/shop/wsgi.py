"""What a WSGI server loads: ``gunicorn shop.wsgi:app``."""

import os
from pathlib import Path

from . import create_app

app = create_app(Path(os.environ.get("SHOP_FOLDER", ".")), os.environ["SHOP_SECRET"], os.environ.get("SHOP_STORE", ""))
