"""What ``dqa doctor`` looks at: a module per part of the deployment."""
