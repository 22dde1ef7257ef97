"""Reports of verifications: signed, and for people, auditors' tools and build servers."""
