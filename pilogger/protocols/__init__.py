"""Wire formats, one file each: pure functions of bytes, shared by clients and the hub."""
