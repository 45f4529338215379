"""The tools that serve every subject, one file each; the file's name is the command's."""
