"""The operator's acts on tenants: onboarding, suspension, offboarding; and who their members are."""
