"""differential - the same requests through segued, HAProxy and nginx.

    /usr/bin/python3 tests/e2e/differential          prints the table
    /usr/bin/python3 tests/e2e/differential --page   writes doc/differential.md

SEGUE_BIN says which build.  One scripted instance stands behind each.

    proxies.py    how each is configured and started
    look.py       plays one row and says what came of it
    why.py        why we differ: a sentence for each row that does
    page.py       the table and the page
"""
