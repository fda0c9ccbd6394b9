"""A champion is read back as it was promoted, or not at all."""

import json
import pickle

import pytest

from driftline.errors import InputError
from driftline.retraining.registry import POINTER, Registry

OLD = {"weights": [1.0, 2.0]}
NEW = {"weights": [3.0]}


class Malice:
    """Its unpickling leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (type(self.mark).touch, (self.mark,))


@pytest.fixture
def registry(tmp_path):
    registry = Registry(tmp_path / "models")
    registry.promote(registry.register("v1", OLD))
    return registry


def champion(registry):
    return registry.load(registry.champion())


def test_the_champion_is_the_last_that_was_promoted(registry):
    assert champion(registry) == OLD
    second = registry.register("v2", NEW)
    assert champion(registry) == OLD
    registry.promote(second)
    assert champion(registry) == NEW
    found = {path.name for path in registry.folder.iterdir()}
    assert found == {"v1.joblib", "v2.joblib", POINTER}


def test_the_champion_cannot_be_replaced_under_its_name(registry):
    assert registry.register("v1", OLD) == registry.champion()
    with pytest.raises(InputError, match=r"v1 is the champion .* cannot be replaced"):
        registry.register("v1", NEW)


def test_a_file_that_nobody_registered_is_not_unpickled(registry, tmp_path):
    mark = tmp_path / "mark"
    content = pickle.dumps(Malice(mark))
    (registry.folder / "v1.joblib").write_bytes(content)
    with pytest.raises(InputError, match=r"v1 is not the file that was registered"):
        champion(registry)
    with pytest.raises(InputError, match=r"SHA-256"):
        registry.promote(registry.champion())
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists(), "the file would have done its harm"


def test_one_changed_byte_is_enough(registry):
    file = registry.folder / "v1.joblib"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"SHA-256"):
        champion(registry)


def test_before_the_first_promotion_there_is_no_champion(registry, tmp_path):
    assert Registry(tmp_path / "absent").champion() is None
    (registry.folder / "v1.joblib").unlink()
    with pytest.raises(InputError, match=r"holds no model v1"):
        champion(registry)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "v1"}', "\xff"])
def test_a_broken_pointer(registry, text):
    (registry.folder / POINTER).write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"not the pointer that a promotion writes"):
        registry.champion()


@pytest.mark.parametrize("name", ["../v1", "/etc/v1", "", ".hidden", "a b"])
def test_a_version_is_a_plain_name(registry, name):
    with pytest.raises(InputError, match=r"no model version"):
        registry.register(name, NEW)
    pointer = json.loads((registry.folder / POINTER).read_text())
    (registry.folder / POINTER).write_text(json.dumps({**pointer, "version": name}))
    with pytest.raises(InputError, match=r"no model version"):
        champion(registry)
