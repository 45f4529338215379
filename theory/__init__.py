"""What is said: definitions, laws, systems, quantities and claims. No files, plots or iterations."""
