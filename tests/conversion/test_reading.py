"""Reading a checkpoint: formats by content, damage refused in words, no code of a file ever runs."""

import argparse
import builtins
import io
import os
import pickle
import socket
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from support.confining import needs_confinement

from cgdmer.conversion import reading, stand_ins
from cgdmer.errors import ConfigError, DataError


def read(path, *, isolate=False):
    return reading.read(path, path.parent, isolate=isolate)


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.pth"
    torch.save({"model": {"a": torch.arange(4.0), "b": torch.ones(2, 2)}, "epoch": 3}, path)
    return path


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".odd"])
def test_a_format_is_known_by_its_content(tmp_path, suffix):
    for number, write in enumerate((torch.save, save_file)):
        path = tmp_path / f"{number}{suffix}"
        write({"a": torch.arange(4.0)}, path)
        content = read(path)
        assert content.tree["a"].tolist() == [0, 1, 2, 3]
        assert not content.isolated


def test_nested_tensors_are_kept_and_everything_else_is_left_out(plain):
    tree = read(plain).tree
    assert list(tree) == ["model"]
    assert list(tree["model"]) == ["a", "b"]


def test_the_older_format_without_a_zip_is_read(tmp_path):
    torch.save({"a": torch.arange(4.0)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert read(tmp_path / "old.pth").tree["a"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95])
@pytest.mark.parametrize("old", [False, True])
def test_a_cut_file_is_refused(tmp_path, kept, old):
    path = tmp_path / "cut.pth"
    torch.save({"a": torch.ones(1000)}, path, _use_new_zipfile_serialization=not old)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DataError, match="is no whole"):
        read(path)


def test_a_cut_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "cut.safetensors"
    save_file({"a": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="is no whole"):
        read(path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    (tmp_path / "empty.pth").touch()
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "page.pth").write_text("<html>sign in</html>")
    for name, why in (("", "is a folder"), ("empty.pth", "is empty"), ("pipe.pth", "no regular file"),
                      ("page.pth", "is no checkpoint: it begins with"), ("none.pth", "No such file")):  # fmt: skip
        with pytest.raises(DataError, match=why):
            read(tmp_path / name)


def test_a_zip_that_unpacks_to_more_than_it_holds_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\0" * (64 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DataError, match="unpacks to 67,108,864 bytes"):
        read(path)


def test_a_tensor_that_claims_more_than_its_file_holds_is_refused(tmp_path):
    path = tmp_path / "claim.pth"
    torch.save({"a": torch.ones(1000)}, path)
    claimed = tmp_path / "claimed.pth"
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(claimed, "w") as after:
        for member in before.infolist():
            content = before.read(member)
            if member.filename.endswith("data.pkl"):  # 1000 as a two-byte number becomes 65,000
                content = content.replace(b"M\xe8\x03", b"M\xe8\xfd")
            after.writestr(member, content)
    with pytest.raises(DataError, match="is no whole checkpoint"):
        read(claimed)


def test_a_file_of_nested_references_does_not_grow(tmp_path):
    level = {"a": torch.ones(1)}
    for _ in range(40):
        level = {f"k{k}": level for k in range(10)}
    torch.save({"deep": level, "b": torch.ones(1)}, tmp_path / "deep.pth")
    assert list(read(tmp_path / "deep.pth").tree) == ["b"]


def test_a_file_with_a_hundred_thousand_entries_is_refused(tmp_path):
    tensor = torch.ones(1)
    torch.save({f"t{k}": tensor for k in range(100_001)}, tmp_path / "wide.pth")
    with pytest.raises(DataError, match="more than 100,000 entries"):
        read(tmp_path / "wide.pth")


@pytest.mark.parametrize("content", [[torch.ones(1)], {"epoch": 3}, torch.ones(3)])
def test_a_file_without_named_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(DataError, match="holds no tensor by name"):
        read(tmp_path / "odd.pth")


class Calls:
    """A hostile object: reading it calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_objects_need_the_option_and_the_error_names_the_class_and_the_option(tmp_path):
    path = tmp_path / "more.pth"
    torch.save({"model": {"a": torch.ones(2)}, "args": argparse.Namespace(lr=1.0)}, path)
    with pytest.raises(ConfigError, match=r"holds more than tensors, argparse\.Namespace") as caught:
        read(path)
    assert "--allow-pickle" in caught.value.fix


@needs_confinement
@pytest.mark.parametrize("old", [False, True])
def test_a_file_with_objects_is_read_in_isolation_without_its_classes(tmp_path, old, caplog):
    path = tmp_path / "more.pth"
    content = {"model": {"a": torch.arange(3.0)}, "args": argparse.Namespace(lr=1.0), "best": Calls(len, "abc")}
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    content = read(path, isolate=True)
    assert content.isolated
    assert content.tree["model"]["a"].tolist() == [0, 1, 2]
    assert "isolated process" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == ["more.pth"]


@needs_confinement
def test_a_hostile_file_writes_nothing_and_connects_nowhere(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        calls = [
            Calls(os.system, f"touch {outside}/system"),
            Calls(builtins.eval, f"open({str(outside / 'eval')!r}, 'w')"),
            Calls(open, str(outside / "open"), "w"),
            Calls(socket.create_connection, server.getsockname()),
            Calls(os.kill, os.getpid(), 9),
        ]
        for number, call in enumerate(calls):
            torch.save({"a": torch.ones(2), "x": call}, tmp_path / f"hostile{number}.pth")
            with pytest.raises(ConfigError, match="can run any code"):
                read(tmp_path / f"hostile{number}.pth")
        torch.save({"a": torch.ones(2), "x": calls}, tmp_path / "hostile.pth")
        assert read(tmp_path / "hostile.pth", isolate=True).tree["a"].tolist() == [1, 1]
        with pytest.raises(TimeoutError):
            server.accept()
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("function", [getattr, exec, open, __import__, vars, os.system, torch.load, torch.hub.load])
def test_no_other_function_is_known_to_the_unpickler(function):
    assert stand_ins.MODULE.load(io.BytesIO(pickle.dumps(function))) is stand_ins.StandIn


def test_a_name_with_dots_does_not_lead_to_another_module():
    hostile = (
        pickle.PROTO + b"\x04" + b"".join(b"\x8c" + bytes([len(n)]) + n for n in (b"torch", b"os.system")) + b"\x93."
    )
    assert stand_ins.MODULE.load(io.BytesIO(hostile)) is stand_ins.StandIn
