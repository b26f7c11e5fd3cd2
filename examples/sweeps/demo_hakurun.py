import sys
print(f"Arguments received: {sys.argv[1:]}")
