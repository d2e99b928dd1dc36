"""What ``postrmagic jobs … --app operations:stack`` looks at: the queue's database, and nothing of Django."""

import os

from postrmagic_core import Settings, Stack

stack = Stack(Settings(database={"url": os.environ.get("JOBS_URL", "sqlite:///jobs.db")}), configure_logging=False)
