"""The outside services: a Protocol and a real client for each. Nothing else imports their SDKs."""
