"""Published suites that say what an adapter means; a third party subclasses them to prove its own."""
