"""A shop for posters: each order is confirmed by mail."""
