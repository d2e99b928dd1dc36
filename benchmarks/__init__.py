"""What this package costs, measured beside what one would use instead: ``python -m benchmarks list``."""
