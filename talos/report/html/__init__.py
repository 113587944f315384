"""The report of `talos report`: one HTML page with everything that a compiled network and its cycles show. `page.py` puts it together."""
