"""`python -m analyzer` is `svcbundle`."""

from analyzer.cli import main

if __name__ == "__main__":
    main()
