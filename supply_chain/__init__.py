"""What vpr_tf is installed with: pins, licences, a bill of materials, an audit.

`make hashes`, `make licences`, `make sbom` and `make audit` call this.
"""
