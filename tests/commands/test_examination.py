"""What pages call recordings: never by a folder above those that were named."""

import pytest

from cgdmer.commands.examination import Names
from cgdmer.recordings import RecordingPath
from cgdmer.recordings.discovery import Rejected


def path(root, member):
    return RecordingPath(f"{root}/{member}", root, member)


ONE = Names([path("/home/jane/ecg", "a/x.hea"), Rejected("/home/jane/ecg/b/", "the folder cannot be listed")])


def test_recordings_of_one_folder_are_called_by_their_path_in_it():
    assert ONE.of(path("/home/jane/ecg", "a/x.hea")) == "a/x.hea"
    assert ONE.of_rejected(Rejected("/home/jane/ecg/a/x.hea", "")) == "a/x.hea"
    assert ONE.of_rejected(Rejected("/home/jane/ecg/b/", "")) == "b"
    assert ONE.of_rejected(Rejected("/", "")) == "/"


def test_folders_of_one_name_have_numbers():
    paths = [path(root, "x.hea") for root in ("/home/jane/ecg", "/mnt/ecg", "/mnt/other", "/data/ecg")]
    names = Names(paths)
    assert [names.of(one) for one in paths] == ["ecg/x.hea", "ecg (2)/x.hea", "other/x.hea", "ecg (3)/x.hea"]


@pytest.mark.parametrize(
    ("reason", "clean"),
    [
        ("No such file: '/home/jane/ecg/a/x.dat'", "No such file: 'a/x.dat'"),
        ("cannot open /tmp/cgdmer-abc/x.hea", "cannot open x.hea"),
        ("unit uV/mV and 10 /s", "unit uV/mV and 10 /s"),
        ("/etc/passwd is no ECG", "passwd is no ECG"),
        ("bytes \udcff", "bytes \\xff"),
    ],
)
def test_a_reason_names_no_folder_of_the_machine(reason, clean):
    assert ONE.clean(reason) == clean
