"""What the database is asked, what that costs, and what would make it cheaper."""
