"""The tools of this subject, one file each; the file's name is the command's."""
