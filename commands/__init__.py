"""The commands of `cli.py`: each does one thing without a browser and says what it did."""
