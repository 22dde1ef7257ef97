"""Layer 3 on Kubernetes: clusters, tenants' namespaces, what is open between them, and the way in by kubeconfig."""
