import sys

print(f"Processing {sys.argv[1]}")
