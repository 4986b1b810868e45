"""Places for what is made: what is refused before anything is read, and that nothing is touched by it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tutelage.checks import InputError
from tutelage.run import places


def test_a_folder_is_made_where_there_is_none_or_an_empty_one(tmp_path: Path) -> None:
    places.check_new(tmp_path / "new" / "run")
    assert not (tmp_path / "new").exists()
    places.new_folder(tmp_path / "new" / "run")
    places.new_folder(tmp_path / "new" / "run")
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "run"]


def test_what_is_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    for out in (tmp_path, tmp_path / "notes"):
        with pytest.raises(InputError, match=rf"^{out} is there already: name another --out$"):
            places.new_folder(out)
        with pytest.raises(InputError, match=rf"^{out} is there already: name another --out, or remove it$"):
            places.check_free(out)
    with pytest.raises(InputError, match=r": name another --out, or look away$"):
        places.check_new(tmp_path, otherwise=", or look away")
    places.check_new(tmp_path, besides="notes")
    places.check_writable(tmp_path)
    with pytest.raises(InputError, match=r"notes cannot be written \(.*notes is a file\); name another --out$"):
        places.check_writable(tmp_path / "notes")


def test_nothing_can_be_made_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    out = tmp_path / "notes" / "new" / "x"
    words = rf"^{out} cannot be written \({tmp_path}/notes is a file\); name another --out$"
    for refuse in (places.check_new, places.new_folder, places.check_free, places.check_writable):
        with pytest.raises(InputError, match=words):
            refuse(out)


def test_nothing_can_be_made_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    for out in (tmp_path, tmp_path / "new" / "x"):
        words = rf"^{out} cannot be written \({tmp_path} is not writable\); make it so, or name another --out$"
        for refuse in (places.check_new, places.check_writable):
            with pytest.raises(InputError, match=words):
                refuse(out)


def test_what_no_look_can_tell_is_refused_when_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "absent" / "x")
    with pytest.raises(InputError, match=r"dangling cannot be made \(File exists\); name another --out$"):
        places.new_folder(tmp_path / "dangling")
    with pytest.raises(InputError, match=r"cannot be made \(File name too long\); name another --out$"):
        places.new_folder(tmp_path / ("x" * 1000))


def test_a_place_that_stays_empty_is_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), places.place_for(tmp_path / "empty"):
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), places.place_for(tmp_path / "used"):
        (tmp_path / "used" / "x").touch()
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["used"]
