"""What `make up` runs: the product beside embedded PostgreSQL, embedded OpenStack and a stand-in of Kubernetes."""
