"""Models of the Hugging Face hub on this machine: fetching them once, and knowing ever after that they are the same."""
