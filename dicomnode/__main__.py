"""`python -m dicomnode`."""

from dicomnode.cli.app import main

main()
