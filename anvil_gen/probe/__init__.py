"""What a machine has, asked of its programs and its kernel. Whatever is asked may be given as an argument."""
