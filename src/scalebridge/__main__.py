"""`python -m scalebridge`: the command line."""

from scalebridge.cli.main import main

if __name__ == "__main__":
    main()
