"""Makes the course a site: its committed pages, to read, to search, to link to and to copy from."""
