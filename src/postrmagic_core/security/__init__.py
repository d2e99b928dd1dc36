"""Security: passwords, one-time tokens, second factors, who may do what, and tokens for scripts."""
