"""Step Functions: our own API over the States Language engine that moto vendors."""
