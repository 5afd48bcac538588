"""Which objects of a bucket are downloaded, by their names and entity tags alone."""

from cgdmer.operations import bucket


def test_the_objects_of_recordings_are_named_below_the_address():
    assert bucket.names("s3://ecg/in", ["s3://ecg/in/a.zip/b/r.hea", "s3://ecg/in2/x.edf", "/in/y.edf"]) == {
        "in", "a.zip", "a.zip/b", "a.zip/b/r.hea"
    }  # fmt: skip


def test_a_header_brings_the_signals_of_another_name():
    objects = {name: bucket.Object(name, "old", 1) for name in ("a/x.hea", "a/r1.dat", "b/y.hea", "b/y.dat", "b/z.npy")}
    done = dict.fromkeys(objects, "old")
    assert bucket._changed(objects, {**done, "a/x.hea": "new"}) == ["a/x.hea", "a/r1.dat"]
    assert bucket._changed(objects, {**done, "b/y.hea": "new"}) == ["b/y.hea", "b/y.dat"]


def test_a_new_file_without_headers_brings_nothing_else():
    tags = {f"a/{name}": "new" for name in ("x.mat", "y.mat", "z.npy")} | {"b/r.hea": "old"}
    objects = {name: bucket.Object(name, tag, 1) for name, tag in tags.items()}
    assert bucket._changed(objects, {"a/y.mat": "new", "a/z.npy": "new", "b/r.hea": "old"}) == ["a/x.mat"]
