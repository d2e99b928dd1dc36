"""``python manage.py work``: what runs the jobs, a process of its own."""

import signal
import threading

from django.core.management.base import BaseCommand

from ...jobs import close, connections_of_django, queue


class Command(BaseCommand):
    help = "Run the shop's jobs and schedules until SIGTERM or Ctrl-C."

    def handle(self, *args: object, **options: object) -> None:
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        with queue() as jobs, jobs.scheduler(), jobs.worker(threads=4, around=connections_of_django):
            self.stdout.write("working")
            stopped.wait()  # leaving the block waits for the jobs that run
        close()
