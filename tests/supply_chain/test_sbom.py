import json

from supply_chain import sbom
from supply_chain.pins import CONSTRAINTS, read_pins


def write(path, packages):
    components = [{"name": name, "version": v} for name, v in packages.items()]
    path.write_text(json.dumps({"bomFormat": "CycloneDX", "components": components}))
    return path


def test_bill_with_every_pinned_package(tmp_path, capsys):
    packages = {**read_pins(CONSTRAINTS), "torch": "2.13.0"}
    packages["ml_dtypes"] = packages.pop("ml-dtypes")
    assert sbom.main(write(tmp_path / "sbom.json", packages)) == 0
    assert "every pinned one among them" in capsys.readouterr().out


def test_bill_that_lacks_packages(tmp_path, capsys):
    packages = {**read_pins(CONSTRAINTS), "pillow": "1.0"}
    del packages["numpy"]
    assert sbom.main(write(tmp_path / "sbom.json", packages)) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert "numpy must be " in told[0]
    assert told[0].endswith("Received: nothing")
    assert told[1].endswith("Received: 1.0")
