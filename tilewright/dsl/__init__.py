"""The language front end: from ``.tw`` text to tensor IR."""
