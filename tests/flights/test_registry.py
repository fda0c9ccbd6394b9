"""A champion is read back as it was promoted, or not at all."""

import json
import pickle

import pytest

from driftline.errors import InputError
from flights.registry import POINTER, Champion, load_champion, promote

OLD = Champion(version="v1", model={"weights": [1.0, 2.0]})
NEW = Champion(version="v2", model={"weights": [3.0]})


class Malice:
    """Its unpickling leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (type(self.mark).touch, (self.mark,))


@pytest.fixture
def folder(tmp_path):
    promote(tmp_path / "models", OLD)
    return tmp_path / "models"


def test_the_champion_is_the_last_that_was_promoted(folder):
    assert load_champion(folder) == OLD
    promote(folder, NEW)
    assert load_champion(folder) == NEW
    assert {path.name for path in folder.iterdir()} == {"v1.joblib", "v2.joblib", POINTER}


def test_a_file_that_nobody_promoted_is_not_unpickled(folder, tmp_path):
    mark = tmp_path / "mark"
    content = pickle.dumps(Malice(mark))
    (folder / "v1.joblib").write_bytes(content)
    with pytest.raises(InputError, match=r"v1 is not the file that was promoted"):
        load_champion(folder)
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists(), "the file would have done its harm"


def test_one_changed_byte_is_enough(folder):
    file = folder / "v1.joblib"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"SHA-256"):
        load_champion(folder)


def test_a_folder_without_a_champion(tmp_path, folder):
    with pytest.raises(InputError, match=r"holds no champion: .*champion\.json is missing"):
        load_champion(tmp_path)
    (folder / "v1.joblib").unlink()
    with pytest.raises(InputError, match=r"holds no champion: .*v1\.joblib is missing"):
        load_champion(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "v1"}', "\xff"])
def test_a_broken_pointer(folder, text):
    (folder / POINTER).write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"not the pointer that a promotion writes"):
        load_champion(folder)


@pytest.mark.parametrize("version", ["../v1", "/etc/v1", "", ".hidden", "a b"])
def test_a_version_is_a_plain_name(folder, version):
    with pytest.raises(InputError, match=r"no model version"):
        promote(folder, Champion(version=version, model=None))
    pointer = json.loads((folder / POINTER).read_text())
    (folder / POINTER).write_text(json.dumps({**pointer, "version": version}))
    with pytest.raises(InputError, match=r"no model version"):
        load_champion(folder)
