"""Public test kit: private servers, fault injection, contracts, fakes."""
