"""Security: passwords, one-time tokens, second factors, and who may do what."""
