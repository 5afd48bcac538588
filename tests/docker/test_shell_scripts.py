"""docker/in_clone.sh checks out any reference of git; docker/digests.sh pins images or reports a missing answer."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "sha256:" + "0" * 64


def program(folder, name, script):
    """Write a stand-in for a program and return a PATH on which it comes first."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository whose branch `main` is two commits after the tag `v1`, and one after the branch `other`."""
    folder = tmp_path_factory.mktemp("repository")
    git = ["git", "-C", str(folder), "-c", "user.email=t@example.org", "-c", "user.name=t"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    for content, command in (("first", ["tag", "v1"]), ("second", ["branch", "other"]), ("third", ["status", "-s"])):
        (folder / "file").write_text(content)
        for words in (["add", "-A"], ["commit", "-qm", content], command):
            subprocess.run([*git, *words], check=True, capture_output=True)
    return folder


def commit(repository, name):
    done = subprocess.run(["git", "-C", repository, "rev-parse", name], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def in_clone(tmp_path, repository, reference, words=("cat", "file")):
    variables = program(tmp_path / "bin", "dvc", "exit 0") | {
        "CGDMER_REPOSITORY": str(repository), "CGDMER_DVC_URL": "s3://dvc/cgdmer", "HOME": str(tmp_path),
        "CGDMER_PROJECT": str(tmp_path / "clone"), "CGDMER_REF": reference,
    }  # fmt: skip
    words = [ROOT / "docker/in_clone.sh", *words]
    return subprocess.run(words, capture_output=True, text=True, env=variables, check=False)


@pytest.mark.parametrize(
    ("reference", "content"),
    [("main", "third"), ("other", "second"), ("v1", "first"), ("other^{commit}", "second"), ("", "third")],
)
def test_a_clone_is_at_the_branch_tag_or_commit(tmp_path, repository, reference, content):
    reference = commit(repository, reference) if "^" in reference else reference
    done = in_clone(tmp_path, repository, reference)
    assert (done.returncode, done.stdout) == (0, content), done.stderr


def test_a_wrong_reference_is_named_and_the_next_start_clones_again(tmp_path, repository):
    done = in_clone(tmp_path, repository, "missing")
    assert done.returncode == 2
    assert "CGDMER_REF=missing is no branch, tag or commit" in done.stderr
    assert in_clone(tmp_path, repository, "v1").stdout == "first"


def test_a_start_that_was_killed_leaves_nothing_that_the_next_one_takes_for_a_clone(tmp_path, repository):
    broken = program(
        tmp_path / "bin", "git", 'case "$*" in *checkout*) kill -9 $PPID;; *) exec /usr/bin/git "$@";; esac'
    )
    variables = broken | program(tmp_path / "bin", "dvc", "exit 0") | {
        "CGDMER_REPOSITORY": str(repository), "CGDMER_DVC_URL": "s3://dvc/cgdmer", "HOME": str(tmp_path),
        "CGDMER_PROJECT": str(tmp_path / "clone"),
    }  # fmt: skip
    done = subprocess.run([ROOT / "docker/in_clone.sh", "true"], capture_output=True, env=variables, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "clone/.git").exists()
    (tmp_path / "clone/file").write_text("half a checkout")
    (tmp_path / "bin/git").unlink()
    assert in_clone(tmp_path, repository, "v1").stdout == "first"
    assert not (tmp_path / "clone/.cgdmer/clone").exists()


@pytest.mark.parametrize(("own", "name"), [(False, "cgdmer"), (True, "ann")])
def test_dvc_can_keep_changes_of_a_clone_in_a_commit(tmp_path, repository, own, name):
    if own:
        (tmp_path / ".gitconfig").write_text("[user]\n\tname = ann\n\temail = ann@example.org\n")
    for _ in range(2):
        assert in_clone(tmp_path, repository, "main", ["git", "config", "user.name"]).stdout == f"{name}\n"
    assert in_clone(tmp_path, repository, "main", ["git", "config", "user.email"]).stdout.startswith(f"{name}@")


def test_a_clone_in_which_a_worker_has_changed_results_gets_newer_code(tmp_path, repository):
    upstream = shutil.copytree(repository, tmp_path / "upstream")
    assert in_clone(tmp_path, upstream, "main").stdout == "third"
    (tmp_path / "clone/file").write_text("result of the worker")
    (upstream / "file").write_text("fourth")
    git = ["git", "-C", str(upstream), "-c", "user.email=t@example.org", "-c", "user.name=t"]
    subprocess.run([*git, "commit", "-qam", "fourth"], check=True)
    (update,) = re.findall(r"in_clone\.sh (sh -c .*)$", (ROOT / "docs/many_machines.md").read_text(), re.M)
    done = in_clone(tmp_path, upstream, "main", shlex.split(update))
    assert done.returncode == 0, done.stderr
    assert in_clone(tmp_path, upstream, "main").stdout == "fourth"


def test_two_starts_at_once_make_one_clone(tmp_path, repository):
    variables = program(tmp_path / "bin", "dvc", "exit 0") | {
        "CGDMER_REPOSITORY": str(repository), "CGDMER_DVC_URL": "s3://dvc/cgdmer", "HOME": str(tmp_path),
        "CGDMER_PROJECT": str(tmp_path / "clone"), "CGDMER_REF": "main",
    }  # fmt: skip
    words = [ROOT / "docker/in_clone.sh", "cat", "file"]
    starts = [subprocess.Popen(words, stdout=subprocess.PIPE, env=variables, text=True) for _ in range(4)]
    assert [(one.communicate()[0], one.returncode) for one in starts] == [("third", 0)] * 4


def test_digests_are_lines_for_the_settings_of_compose(tmp_path):
    variables = program(tmp_path / "bin", "docker", f"echo $4 >> {tmp_path}/asked; echo {DIGEST}")
    done = subprocess.run([ROOT / "docker/digests.sh"], capture_output=True, text=True, env=variables, check=True)
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert set(lines) == {"PYTHON_IMAGE", "POSTGRES_IMAGE", "S3_IMAGE"}
    example = (ROOT / "docker/.env.example").read_text()
    for name, image in lines.items():
        assert image.endswith(f"@{DIGEST}")
        assert f"\n{name}={image.partition('@')[0]}\n" in example
    assert (tmp_path / "asked").read_text().split() == [image.partition("@")[0] for image in lines.values()]


@pytest.mark.parametrize("script", ["exit 1", "echo nothing"])
def test_without_an_answer_of_the_registry_no_digest_is_made_up(tmp_path, script):
    variables = program(tmp_path / "bin", "docker", script)
    done = subprocess.run([ROOT / "docker/digests.sh"], capture_output=True, text=True, env=variables, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert os.access(ROOT / "docker/digests.sh", os.X_OK)
