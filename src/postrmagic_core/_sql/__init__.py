"""What database and the SQL stores share: engines, transport security, error mapping."""
