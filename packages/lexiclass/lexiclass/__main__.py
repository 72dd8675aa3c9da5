"""``python -m lexiclass`` is the command ``lexiclass``."""

from lexiclass.cli import main

if __name__ == "__main__":
    main()
