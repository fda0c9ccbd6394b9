"""The databases that logs lie in: a file each, behind one Protocol."""
