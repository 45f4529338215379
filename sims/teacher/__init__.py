"""Students trained on a teacher's labels, and on data with a shared feature."""
